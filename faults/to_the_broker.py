"""What strikes brokers and the network before them."""

import random
import time

import grpc

from faults.auditor import Finding
from faults.waiting import wait_for
from faults.workload import Event
from faults.world import World
from grpc_ingest.client import EventEncoder
from grpc_ingest.client.client import METHOD
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from grpc_ingest.refusal import Code
from grpc_ingest.requests import BatchRequest, wrap_entity

# The host gives up after 12 s; on a loaded machine its answer may take longer.
_ANSWER_S = 60.0


def kill_one(world: World, draw: random.Random) -> None:
    """kill -9 of a broker, then its start."""
    node = draw.choice(world.cluster.nodes)
    world.cluster.kill(node)
    time.sleep(draw.uniform(0, 2))
    world.cluster.start()


def kill_two(world: World, draw: random.Random) -> None:
    """kill -9 of two brokers of three: what is sent meanwhile must be refused, as UNAVAILABLE."""
    world.pid("grpc")
    for node in draw.sample(world.cluster.nodes, 2):
        world.cluster.kill(node)
    event = world.workload.next()
    world.shop.sent.append(event)
    answer = wait_for("an answer without a quorum", lambda: _ask(world, event))
    if answer.HasField("position"):
        world.noted.append(Finding("acknowledged by one broker of three", event.event_id))
    elif answer.refusal.code != Code.UNAVAILABLE:
        world.noted.append(Finding("refused otherwise than UNAVAILABLE", str(answer.refusal)))
    world.cluster.start()


def pause_one(world: World, draw: random.Random) -> None:
    """SIGSTOP and SIGCONT of a broker."""
    node = draw.choice(world.cluster.nodes)
    world.cluster.pause(node)
    time.sleep(draw.uniform(1, 5))
    world.cluster.resume(node)


def part(world: World, draw: random.Random) -> None:
    """Nothing passes between the lake and Kafka, and then all of it does."""
    for proxy in world.proxies:
        proxy.partition()
    time.sleep(draw.uniform(0.5, 8))
    for proxy in world.proxies:
        proxy.heal()


def cut(world: World, draw: random.Random) -> None:
    """Connections are reset, up to three times."""
    for _ in range(draw.randrange(1, 4)):
        for proxy in world.proxies:
            proxy.cut()
        time.sleep(draw.uniform(0, 0.5))


def answer_late(world: World, draw: random.Random) -> None:
    """What brokers say arrives later, also than the request waits."""
    delay = draw.uniform(0.05, 1.5)
    for proxy in world.proxies:
        proxy.delay_answers(delay)
    time.sleep(draw.uniform(1, 4))
    for proxy in world.proxies:
        proxy.delay_answers(0)


def _ask(world: World, event: Event) -> ingest_pb2.Verdict | None:
    """What the host itself answers to one event; None when it did not live to answer."""
    encoded = EventEncoder("faults").encode(
        event.entity, event.columns, event.occurred_at, op=event.op, event_id=event.event_id
    )
    request = BatchRequest(batch_id="1", events=[wrap_entity(encoded.tag, encoded.message)])
    with grpc.insecure_channel(world.running.grpc_address) as channel:
        stream = channel.stream_stream(METHOD, response_deserializer=ingest_pb2.PutStreamResponse.FromString)
        for answer in stream(iter([request.SerializeToString()]), timeout=_ANSWER_S):
            verdict: ingest_pb2.Verdict = answer.verdicts[0]
            return verdict
    return None
