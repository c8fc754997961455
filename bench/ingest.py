"""Ingest: the Python host against plain Producer.produce, same bytes, same broker, in alternating pairs.

    python -m bench.ingest [--events 200000] [--pairs 5] [--json]

Host: one stream of batches of 100 built beforehand, each acknowledged after the broker did. Plain: one produce() per
event with a delivery callback. Both end when the last event is acknowledged. Each run has a broker of its own and
stays below what its partitions keep, which is checked. Exit code 1 when the middle ratio is below the floor.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from confluent_kafka import Consumer, Producer, TopicPartition

from grpc_ingest.broker import producer_properties
from grpc_ingest.client import EventEncoder
from grpc_ingest.client.client import METHOD
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from grpc_ingest.records import Edge, Record
from grpc_ingest.refusal import Refusal
from grpc_ingest.requests import BatchRequest, wrap_entity
from grpc_ingest.server.__main__ import run
from grpc_ingest.server.settings import Settings
from lakehouse.catalog import Entity, load_entities

FLOOR = 0.25
BATCH = 100
ROOT = Path(__file__).parents[1]
STREAMED = ("orders", "order_items", "payments", "reviews")
READY_S = 30.0


class Load(NamedTuple):
    """The same events as requests of a stream and as records."""

    requests: list[bytes]
    records: list[Record]


def main() -> int:
    """Prints each pair and the middle ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", help=argparse.SUPPRESS)  # broker and ready file: this process is the host
    arguments = parser.parse_args()
    if arguments.serve:
        return serve_host(*arguments.serve.split(","))
    load = make_load(arguments.events)
    plain, host = [], []
    for number in range(arguments.pairs):
        with broker() as address:
            plain.append(len(load.records) / run_plain(address, load.records))
            require_all_kept(address, len(load.records))
        with broker() as address, host_process(address) as port:
            host.append(len(load.records) / run_stream(port, load.requests))
            require_all_kept(address, len(load.records))
        if not arguments.json:
            ratio = host[-1] / plain[-1]
            print(
                f"pair {number + 1}: plain {plain[-1]:9,.0f}/s   host {host[-1]:9,.0f}/s   ratio {ratio:.2f}"
            )
    ratio = statistics.median(h / p for h, p in zip(host, plain, strict=True))
    found = {"plain_per_s": max(plain), "host_per_s": max(host), "ratio": ratio, "floor": FLOOR}
    print(json.dumps(found) if arguments.json else f"middle ratio {ratio:.2f} (floor {FLOOR})")
    return 0 if ratio >= FLOOR else 1


def make_load(events: int, schema_id: Callable[[Entity], str] | None = None) -> Load:
    """Events of the four entities that a shop streams, about 250 bytes each; `schema_id` stamps them."""
    encoder, contracts = EventEncoder("bench"), load_entities()
    wrapped: list[bytes] = []
    for number in range(events // BATCH * BATCH):
        name = STREAMED[number % len(STREAMED)]
        columns: dict[str, str | int | None] = {
            field.name: 1 if field.wire == "int64" else f"{number:032x}"
            for field in contracts[name].fields
            if field.required or field.key_position is not None
        }
        columns |= {name: "2017-10-02 10:56:33" for name in columns if name.endswith(("_timestamp", "_date"))}
        encoded = encoder.encode(name, columns, 1_506_941_793_000_000 + number)
        wrapped.append(wrap_entity(encoded.tag, encoded.message))
    edge = Edge(contracts.values(), schema_id or registry_id)
    records = [record for record in map(edge.accept, wrapped) if not isinstance(record, Refusal)]
    assert len(records) == len(wrapped), "the load must pass the edge"
    batches = (wrapped[at : at + BATCH] for at in range(0, len(wrapped), BATCH))
    return Load(
        [BatchRequest(batch_id=str(n), events=b).SerializeToString() for n, b in enumerate(batches)], records
    )


def registry_id(entity: Entity) -> str:
    """A schema version id without a registry."""
    return f"00000000-0000-4000-8000-{entity.tag:012d}"


def run_plain(address: str, records: Sequence[Record]) -> float:
    """Seconds until the last of the records is acknowledged."""
    producer = Producer(
        {**producer_properties(address, 30, "bench"), "queue.buffering.max.messages": 1_000_000}
    )
    producer.list_topics(timeout=10)
    acknowledged = 0

    def on_delivery(error: Any, _message: Any) -> None:
        nonlocal acknowledged
        assert error is None, error
        acknowledged += 1

    start = time.perf_counter()
    produce, poll = producer.produce, producer.poll
    for number, (_event_id, topic, key, value) in enumerate(records):
        while True:
            try:
                produce(topic, value, key, -1, on_delivery)
                break
            except BufferError:
                poll(0.01)
        if number % BATCH == 0:
            poll(0)
    while acknowledged < len(records):
        poll(0.01)
    return time.perf_counter() - start


def run_stream(port: int, requests: Sequence[bytes]) -> float:
    """Seconds until the last event of the requests is acknowledged."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(READY_S)
        stream = channel.stream_stream(METHOD)
        answers: list[bytes] = []
        start = time.perf_counter()
        answers.extend(stream(iter(requests)))
        seconds = time.perf_counter() - start
    verdicts = [v for a in answers for v in ingest_pb2.PutStreamResponse.FromString(a).verdicts]
    assert len(verdicts) == len(requests) * BATCH
    assert all(v.HasField("position") for v in verdicts), "every event must be acknowledged"
    return seconds


def require_all_kept(address: str, events: int) -> None:
    """The broker drops what is over 5 MB in a partition: a run that lost some would measure something else."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "bench"})
    kept = 0
    for name in STREAMED:
        for partition in range(4):
            low, high = consumer.get_watermark_offsets(
                TopicPartition(load_entities()[name].topic, partition), 5
            )
            assert low == 0, "the broker dropped records: use fewer --events"
            kept += high
    consumer.close()
    assert kept == events, f"{events} sent, {kept} in the broker"


@contextmanager
def broker() -> Iterator[str]:
    """An embedded broker of its own; its address."""
    topics = ",".join(entity.topic for entity in load_entities().values())
    with _child(
        "local.broker_server", "--port-file", "{ready}", "--topics", topics, "--partitions", "4"
    ) as text:
        yield text


@contextmanager
def host_process(address: str) -> Iterator[int]:
    """A host process; its port."""
    with _child("bench.ingest", "--serve", f"{address},{{ready}}") as text:
        yield int(text)


def serve_host(address: str, ready_file: str) -> int:
    """The host with schema ids of its own instead of a registry's."""
    settings = Settings(broker=address, log="bench", ready_file=Path(ready_file))
    return asyncio.run(run(settings, Edge(load_entities().values(), registry_id)))


@contextmanager
def _child(module: str, *arguments: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as place:
        ready = Path(place, "ready")
        argv = [sys.executable, "-m", module, *(a.replace("{ready}", str(ready)) for a in arguments)]
        process = subprocess.Popen(argv, cwd=ROOT)
        try:
            until = time.monotonic() + READY_S
            while not ready.exists():
                assert process.poll() is None, f"{module} ended"
                assert time.monotonic() < until, f"{module} is not ready"
                time.sleep(0.01)
            yield ready.read_text().strip()
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(READY_S)


if __name__ == "__main__":
    sys.exit(main())
