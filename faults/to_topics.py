"""What strikes topics: poison, another incarnation, retention."""

import random
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from faults.evidence import Place, read_broker
from faults.to_processes import send_signal
from faults.waiting import wait_for
from faults.world import PARTITIONS, PREFIX, QUIET, TOPICS, World
from lakehouse.catalog import load_entities
from local import runtime

_REFUSAL = "holds another history"


def poison_record(world: World, draw: random.Random) -> None:
    """Records with a bad header, a schema nobody knows, no value."""
    settings = {"bootstrap.servers": world.cluster.bootstrap, "enable.idempotence": True}
    producer = Producer(settings, logger=QUIET)
    values = (b"\x00garbage", b"\x03\x00" + bytes(16) + b"\x00\x0a\x01x", None, b"")
    for value in values:
        producer.produce(draw.choice(TOPICS), value, key=b"k")
    producer.flush(30)


def replace_cluster(world: World, draw: random.Random) -> None:
    """Another Kafka takes the place of one whose events are landed; its offsets begin at 0 again, the lake stays."""
    world.end_history()
    port = world.down()
    world.replace_cluster()
    world.up(port)
    world.shop.resume()


def make_anew(world: World, draw: random.Random) -> None:
    """Topics are deleted and made again under the same log id. The writer refuses; then its remedy is followed.

    What the host acknowledged meanwhile stands in the new topics and is landed under the new log id.
    """
    first, old = world.end_history(), world.log
    log_file = world.lake / "run" / "logs" / "writer.log"
    refusals = log_file.read_text("utf-8", "replace").count(_REFUSAL)
    _delete_and_make(world)
    world.shop.resume()
    wait_for(
        "the writer to refuse topics that were made anew",
        lambda: log_file.read_text("utf-8", "replace").count(_REFUSAL) > refusals,
    )
    port = world.grpc_port
    runtime.stop(world.lake, lambda _event: None)
    world.log = f"{world.cluster.layout.log}-{len(world.past)}"
    world.up(port)
    world.shop.move(first, old, world.log)  # now that the last answer of the old host was taken in


def expire(world: World, draw: random.Random) -> None:
    """Retention takes records of one partition that were acknowledged and are not landed. They are lost, by name."""
    place = (draw.choice(TOPICS), draw.randrange(PARTITIONS))
    writer = world.pid("writer")
    send_signal(writer, signal.SIGSTOP)
    time.sleep(draw.uniform(0.5, 2))
    wait_for("records that are not landed", lambda: world.ends()[place] > _landed_end(world, *place) + 3)
    records = read_broker(world.cluster.bootstrap, world.log, [place[0]])
    held = [record for record in records if record.place.partition == place[1]]
    end = held[-1].place.offset  # the last one stays: what is missing is told with the next object
    world.past += held
    asked = TopicPartition(*place, end)
    admin = AdminClient({"bootstrap.servers": world.cluster.bootstrap}, logger=QUIET)
    admin.delete_records([asked])[asked].result(30)
    send_signal(writer, signal.SIGKILL)
    landed = _landed_end(world, *place)
    world.expired |= {Place(world.log, *place, offset) for offset in range(landed, end)}


def _landed_end(world: World, topic: str, partition: int) -> int:
    """Behind the last row of the partition in Bronze."""
    bucket = world.lake / "lake" / f"{PREFIX}-bronze" / topic.partition(".")[0]
    ends = [0]
    for path in bucket.glob(f"year=*/**/{world.log}+{partition}+*.parquet"):
        with pq.ParquetFile(path, pre_buffer=False) as file:
            ends.append(_first_offset(path) + file.metadata.num_rows)
    return max(ends)


def _first_offset(path: Path) -> int:
    return int(path.stem.rpartition("+")[2])


def _delete_and_make(world: World) -> None:
    admin = AdminClient({"bootstrap.servers": world.cluster.bootstrap}, logger=QUIET)
    names = [entity.topic for entity in load_entities().values()]
    for done in admin.delete_topics(names, operation_timeout=30).values():
        done.result(60)
    wait_for("the topics to be gone", lambda: not set(names) & admin.list_topics(timeout=10).topics.keys())
    config = {"message.timestamp.type": "LogAppendTime"}

    def made() -> bool:
        missing = set(names) - admin.list_topics(timeout=10).topics.keys()
        wanted = [NewTopic(name, PARTITIONS, -1, config=config) for name in missing]
        for done in (admin.create_topics(wanted) if wanted else {}).values():
            done.result(30)
        return not missing

    wait_for("the topics to be there again", made)
