"""Landing: the Bronze writer on a real Kafka against the same client that consumes the same topics and does nothing.

    python -m bench.landing [--events 400000] [--pairs 3] [--json]

Apache Kafka with one broker, S3 by moto, objects as large as on AWS; each run is a process of its own and ends when
every topic is read to its end and landed. Counted is the CPU of that process from its first call to Kafka on: rows
per CPU-second do not depend on what else this machine does, wall clock does. Needs Java, and Maven once.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.ingest import BATCH, STREAMED, make_load
from lakehouse.catalog import load_entities
from lakehouse.errors import NexusError
from local.kafka.cluster import Cluster
from local.kafka.jars import fetch_jars, find_java
from local.processes import Child, Command, read_when_written, spawn, stop, wait_ready
from local.run_state import DUMMY_KEY

# Below this share something costs the writer as much again as it does now.
FLOOR = 0.06
PREFIX = "bench"
PARTITIONS = 4
ROOT = Path(__file__).parents[1]
READY_S = 60.0
# Objects as on AWS: bytes decide, and the end of the topics.
_LIMITS = {
    "NEXUS_FLUSH_BYTES": str(32 * 1024**2),
    "NEXUS_FLUSH_ROWS": "10000000",
    "NEXUS_FLUSH_SECONDS": "600",
}
_KEYS = {"AWS_ACCESS_KEY_ID": DUMMY_KEY, "AWS_SECRET_ACCESS_KEY": DUMMY_KEY}
_TOPICS = [load_entities()[name].topic for name in STREAMED]


def main() -> int:
    """Prints each pair, the middle share, and where the writer's CPU goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--be", choices=("writer", "plain"), help=argparse.SUPPRESS
    )  # this process is the run
    arguments = parser.parse_args()
    if arguments.be:
        print(json.dumps(be_writer() if arguments.be == "writer" else be_plain()))
        return 0
    try:
        find_java()
        fetch_jars()
    except NexusError as error:
        print(f"not measured: {error}")
        return 0
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        return measure(Path(folder), arguments.events, arguments.pairs, arguments.json)


def measure(folder: Path, events: int, pairs: int, as_json: bool) -> int:
    """Exit code: 1 when the middle share is below the floor."""
    aws = _start_aws(folder)
    try:
        endpoint = (
            f"http://127.0.0.1:{wait_ready(aws, lambda: read_when_written(folder / 'aws.port'), READY_S)}"
        )
        with Cluster(folder / "kafka") as cluster:
            cluster.start()
            size = fill(cluster.bootstrap, endpoint, events)
            runs = [_pair(cluster.bootstrap, endpoint, number) for number in range(pairs)]
    finally:
        stop(aws, aws.on_parent_death, 10)
    rows = events // BATCH * BATCH
    assert all(run["rows"] == rows for pair in runs for run in pair), f"{rows} sent: {runs}"
    share = statistics.median(_share(*pair) for pair in runs)
    _, middle = min(runs, key=lambda pair: abs(_share(*pair) - share))
    if as_json:
        print(json.dumps({"share": share, "rows_per_cpu_s": _rate(middle), "floor": FLOOR}))
        return 0 if share >= FLOOR else 1
    print(f"{rows:,} rows, {size / 1e6:,.0f} MB, {len(_TOPICS)} topics of {PARTITIONS} partitions")
    for plain, writer in runs:
        print(f"  plain {_told(plain)}   writer {_told(writer)}   share {_share(plain, writer):.2f}")
    print("  the writer's CPU: " + _where(middle))
    print(f"middle share {share:.2f} (floor {FLOOR}), {_rate(middle):,.0f} rows per CPU-second")
    return 0 if share >= FLOOR else 1


def fill(bootstrap: str, endpoint: str, events: int) -> int:
    """Makes topics, buckets and schemas and sends the events; bytes of their values."""
    from local.aws_setup import prepare_aws, register_schemas

    prepare_aws(endpoint, PREFIX)
    entities = load_entities()
    definitions = {name: entity.definition for name, entity in entities.items()}
    ids = register_schemas(endpoint, "keystone-nexus", definitions)
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    wanted = [NewTopic(entity.topic, PARTITIONS, 1) for entity in entities.values()]
    for made in admin.create_topics(wanted).values():
        made.result(30)
    records = make_load(events, lambda entity: ids[entity.name]).records
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 0,
        }
    )
    for number, (_event_id, topic, key, value) in enumerate(records):
        producer.produce(topic, value, key)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0, "Kafka did not take all events"
    return sum(len(value) for _, _, _, value in records)


def be_plain() -> Mapping[str, Any]:
    """Reads all topics to their ends, in batches as the writer, and forgets what it reads."""
    from bronze_writer.consumer import connect_consumer
    from bronze_writer.stream import _BATCH, _POLL_S

    consumer = connect_consumer(os.environ["NEXUS_BROKER"], lambda *_: None)
    places = [TopicPartition(topic, p, 0) for topic in _TOPICS for p in range(PARTITIONS)]
    began = _Usage()
    consumer.assign(places)
    rows, size, open_ended = 0, 0, len(places)
    while open_ended:
        for message in consumer.consume(_BATCH, _POLL_S):
            error = message.error()
            if error is None:
                rows += 1
                size += len(message.value())
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                open_ended -= 1
    used = began.used()
    consumer.close()
    return {"rows": rows, "bytes": size, **used}


def be_writer() -> Mapping[str, Any]:
    """The writer as `python -m bronze_writer --until-caught-up` runs it, with a stopwatch at its seams."""
    from adapters.objects import ObjectStore
    from bronze_writer import decode, rows
    from bronze_writer.__main__ import run
    from bronze_writer.settings import Settings

    watch = _Stopwatch()
    settings = Settings.from_process()
    store = ObjectStore.connect(settings.lake.aws_endpoint, settings.lake.region)
    # inner before outer: what Parquet takes is not decoding
    decode.encode_table = watch.timed("Parquet", rows.encode_table)  # type: ignore[attr-defined]
    decode.Decoder.encode = watch.timed("decoding and hashing", decode.Decoder.encode)  # type: ignore[method-assign]
    store.put_new = watch.timed("put", store.put_new)  # type: ignore[method-assign]
    drain = threading.Event()
    drain.set()
    began = _Usage()
    run(settings, drain, store)
    return {"rows": watch.rows, "bytes": watch.size, **began.used(), "parts": dict(watch.seconds)}


class _Usage:
    """CPU and wall clock of this process from now on."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def used(self) -> Mapping[str, float]:
        return {"cpu": time.process_time() - self._cpu, "wall": time.perf_counter() - self._wall}


class _Stopwatch:
    """CPU seconds of threads by part; a part within another is not counted there."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.rows = self.size = 0
        self._inner = threading.local()
        self._lock = threading.Lock()

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, its seconds noted."""

        def noted(*arguments: Any, **named: Any) -> Any:
            outer, self._inner.seconds = getattr(self._inner, "seconds", 0.0), 0.0
            began = time.thread_time()
            done = work(*arguments, **named)
            taken = time.thread_time() - began
            with self._lock:
                self.seconds[part] += taken - self._inner.seconds
                if part == "Parquet":
                    self.rows += done.rows
                    self.size += len(done.body)
            self._inner.seconds = outer + taken
            return done

        return noted


def _start_aws(folder: Path) -> Child:
    (folder / "lake").mkdir()
    argv = [sys.executable, "-m", "local.aws_server", "--lake", str(folder / "lake"), "--port", "0"]
    argv += ["--port-file", str(folder / "aws.port"), "--region", "us-east-1"]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), **_KEYS}
    return spawn(Command("aws", tuple(argv), environment, folder), folder / "logs")


def _pair(bootstrap: str, endpoint: str, number: int) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Plain and writer; the writer under a log id of its own, so that it lands all anew."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "NEXUS_BROKER": bootstrap,
        "NEXUS_LOG": f"bench-{number}",
        "NEXUS_BUCKET_PREFIX": PREFIX,
        "NEXUS_LOG_LEVEL": "WARNING",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        **_KEYS,
        **_LIMITS,
    }
    found = []
    for what in ("plain", "writer"):
        argv = [sys.executable, "-m", "bench.landing", "--be", what]
        done = subprocess.run(argv, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        found.append(json.loads(done.stdout))
    return found[0], found[1]


def _rate(run: Mapping[str, Any]) -> float:
    return float(run["rows"] / run["cpu"])


def _share(plain: Mapping[str, Any], writer: Mapping[str, Any]) -> float:
    return _rate(writer) / _rate(plain)


def _told(run: Mapping[str, Any]) -> str:
    return f"{_rate(run):9,.0f} rows per CPU-s, {run['rows'] / run['wall']:9,.0f}/s"


def _where(run: Mapping[str, Any]) -> str:
    parts = dict(run["parts"])
    parts["consuming and the rest"] = run["cpu"] - sum(parts.values())
    listed = sorted(parts.items(), key=lambda part: -part[1])
    per_row = ", ".join(f"{name} {s / run['rows'] * 1e6:.2f} µs ({s / run['cpu']:.0%})" for name, s in listed)
    return (
        f"{run['cpu'] / run['rows'] * 1e6:.2f} µs per row: {per_row}; {run['bytes'] / 1e6:,.0f} MB of Parquet"
    )


if __name__ == "__main__":
    sys.exit(main())
