"""The faults, each with its number in the catalogue of what the pipeline must survive.

An injection returns when the fault is over and the pipeline may heal; it does not wait until it has. Moments and
lengths are drawn, so that a seed repeats them as far as real processes can be repeated.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer

from faults.workload import DAY, Event
from faults.world import World
from local import runtime
from local.run_state import CODE

Inject = Callable[[World, random.Random], None]
# Longer than the session timeout of the writer's group (6 s): the group takes its partitions away meanwhile.
_ZOMBIE_S = 8.0
_COPIES = 200


@dataclass(frozen=True)
class Kind:
    """`number`: row of the fault catalogue. `weight`: how often it is drawn."""

    number: int
    name: str
    inject: Inject
    weight: int = 1


def _kill(child: str) -> Inject:
    def inject(world: World, draw: random.Random) -> None:
        pid = world.pid(child)
        time.sleep(draw.uniform(0, 0.5))  # at any moment of its work
        _signal(pid, signal.SIGKILL)

    return inject


def _pause(child: str, least_s: float, most_s: float) -> Inject:
    def inject(world: World, draw: random.Random) -> None:
        pid = world.pid(child)
        _signal(pid, signal.SIGSTOP)
        time.sleep(draw.uniform(least_s, most_s))
        _signal(pid, signal.SIGCONT)

    return inject


def _kill_broker(world: World, draw: random.Random) -> None:
    world.cluster.kill(1)
    time.sleep(draw.uniform(0, 2))
    world.cluster.start_node(1)


def _pause_broker(world: World, draw: random.Random) -> None:
    world.cluster.pause(1)
    time.sleep(draw.uniform(1, 5))
    world.cluster.resume(1)


def _partition(world: World, draw: random.Random) -> None:
    world.proxy.partition()
    time.sleep(draw.uniform(0.5, 8))
    world.proxy.heal()


def _cut(world: World, draw: random.Random) -> None:
    for _ in range(draw.randrange(1, 4)):
        world.proxy.cut()
        time.sleep(draw.uniform(0, 0.5))


def _slow_answers(world: World, draw: random.Random) -> None:
    world.proxy.delay_answers(draw.uniform(0.05, 1.5))
    time.sleep(draw.uniform(1, 4))
    world.proxy.delay_answers(0)


def _rival_writer(world: World, draw: random.Random) -> None:
    """A second writer joins the group, takes half of the partitions, and is killed in the midst of its work."""
    ready = world.lake / "run" / f"rival-{draw.getrandbits(32):x}.ready"
    environment = {"PATH": os.defpath, "PYTHONPATH": str(CODE), **world.running.environment()}
    environment |= {"NEXUS_FLUSH_SECONDS": "0.5", "NEXUS_FLUSH_ROWS": "200", "NEXUS_READY_FILE": str(ready)}
    with (world.lake / "run" / "logs" / "rival.log").open("ab") as log:
        rival = subprocess.Popen(
            [sys.executable, "-m", "bronze_writer"], env=environment, cwd=CODE, stdout=log, stderr=log
        )
    time.sleep(draw.uniform(2, 6))
    rival.kill()
    rival.wait()


def _take_message(world: World, visible_again_s: int) -> dict[str, Any] | None:
    sqs, url = world.sqs()
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=visible_again_s)
    messages = found.get("Messages", [])
    return dict(messages[0]) if messages else None


def _lose_announcement(world: World, draw: random.Random) -> None:
    """The message is deleted unread: the sweep has to find its object."""
    for _ in range(100):
        if message := _take_message(world, 30):
            sqs, url = world.sqs()
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return
        time.sleep(0.02)


def _announce_again(world: World, draw: random.Random) -> None:
    """One object is announced hundreds of times more."""
    bodies = _announcements(world, draw, 1) * _COPIES
    _send(world, bodies)


def _shuffle_announcements(world: World, draw: random.Random) -> None:
    """Objects of all ages are announced again, twice each, in any order."""
    bodies = _announcements(world, draw, 30) * 2
    draw.shuffle(bodies)
    _send(world, bodies)


def _odd_announcements(world: World, draw: random.Random) -> None:
    """S3's test event, a removal, a future version with fields nobody knows."""
    bodies: list[Any] = [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "olist-data-lake-bronze"},
        {"detail-type": "Object Deleted", "source": "aws.s3", "detail": {"object": {"key": "x"}}},
    ]
    bodies += [{**body, "version": "9", "novelty": {"a": [1]}} for body in _announcements(world, draw, 2)]
    _send(world, bodies)


def _poison_message(world: World, draw: random.Random) -> None:
    """Messages that are no announcement stand between those that are."""
    sqs, url = world.sqs()
    for text in ("not json", "[]", "null", json.dumps({"detail": {"object": {"key": "../../etc/passwd"}}})):
        sqs.send_message(QueueUrl=url, MessageBody=text)


def _poison_record(world: World, draw: random.Random) -> None:
    """Records with a bad header, a schema nobody knows, no value."""
    producer = Producer({"bootstrap.servers": world.cluster.bootstrap, "enable.idempotence": True})
    values = (b"\x00garbage", b"\x03\x00" + bytes(16) + b"\x00\x0a\x01x", None, b"")
    for value in values:
        producer.produce(draw.choice(("orders.v1", "payments.v1")), value, key=b"k")
    producer.flush(30)


def _everything_dies(world: World, draw: random.Random) -> None:
    """kill -9 of the supervisor: with it, all that it started. Then a new start; the shop has the same port."""
    running = world.running
    for pid in [running.supervisor_pid, *running.children.values()]:
        if pid:
            _signal(pid, signal.SIGKILL)
    world.up_again(int(running.grpc_address.rpartition(":")[2]))


def _restart(world: World, draw: random.Random) -> None:
    """An orderly stop and a start, as for a new version of the software."""
    port = int(world.running.grpc_address.rpartition(":")[2])
    runtime.stop(world.lake, lambda _event: None)
    world.up_again(port)


def _wrong_clock(world: World, draw: random.Random) -> None:
    """A sender's clock is a day off: behind, the row is late; ahead by more than a day, its row is held."""
    for _ in range(20):
        event = world.workload.next()
        now = int(time.time() * 1_000_000)
        behind = Event(event.entity, f"{event.event_id}-b", now - DAY, event.columns, event.fate, event.op)
        ahead = Event(
            event.entity, f"{event.event_id}-a", now + 3 * DAY, event.columns, "quarantine", event.op
        )
        for skewed in (behind, ahead):
            world.shop.send(skewed)


def _announcements(world: World, draw: random.Random, how_many: int) -> list[dict[str, Any]]:
    bucket = "olist-data-lake-bronze"
    pages = world.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [
        found["Key"]
        for page in pages
        for found in page.get("Contents", [])
        if found["Key"].endswith(".parquet")
    ]
    chosen = draw.sample(keys, min(how_many, len(keys)))
    return [
        {
            "version": "0",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "account": "123456789012",
            "region": "us-east-1",
            "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
        }
        for key in chosen
    ]


def _send(world: World, bodies: list[Any]) -> None:
    sqs, url = world.sqs()
    for first in range(0, len(bodies), 10):
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(body)}
            for number, body in enumerate(bodies[first : first + 10])
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


KINDS = (
    Kind(1, "broker killed, comes back", _kill_broker, 2),
    Kind(4, "ingest host killed", _kill("grpc"), 3),
    Kind(5, "broker answers late", _slow_answers, 2),
    Kind(6, "connections to the broker cut", _cut, 2),
    Kind(8, "writer killed at any moment", _kill("writer"), 4),
    Kind(9, "writer a zombie beyond its session", _pause("writer", _ZOMBIE_S, _ZOMBIE_S + 2), 1),
    Kind(10, "rival writer joins and is killed", _rival_writer, 1),
    Kind(11, "object announced 200 times", _announce_again, 1),
    Kind(12, "announcements doubled and shuffled", _shuffle_announcements, 2),
    Kind(13, "announcement lost", _lose_announcement, 3),
    Kind(14, "test event, removal, unknown version", _odd_announcements, 2),
    Kind(15, "check killed at any moment", _kill("check-1"), 4),
    Kind(20, "poison in the queue", _poison_message, 1),
    Kind(21, "object store stands still", _pause("aws", 0.5, 4), 2),
    Kind(22, "object store killed, answers lost", _kill("aws"), 2),
    Kind(37, "poison record in Kafka", _poison_record, 2),
    Kind(38, "sender's clock wrong by days", _wrong_clock, 1),
    Kind(51, "ledger killed", _kill("postgres"), 2),
    Kind(54, "everything killed, started again", _everything_dies, 1),
    Kind(66, "orderly restart over an old lake", _restart, 1),
    Kind(21, "broker stands still", _pause_broker, 1),
    Kind(5, "network between us and the broker parted", _partition, 2),
)
