"""Client → host → embedded broker by real processes: nothing acknowledged is missing, whatever dies or goes away."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from confluent_kafka import Consumer

from grpc_ingest.client import Batching, EventEncoder, EventResult, IngestClient
from grpc_ingest.client.client import METHOD
from grpc_ingest.marks import read_marks
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from lakehouse.catalog import load_entities
from lakehouse.wire import Framed, unframe
from tests.builders.events import MOMENT, an_event, an_order
from tests.fakes.ingest_host import batch
from tests.flow.ingest_processes import (
    LOG,
    WAIT_S,
    BrokerProcess,
    a_host,
    event_id_in,
    read_broker,
    wait_until,
)
from tests.flow.sending_shop import SMALL, Shop, require_truth


def test_bytes_of_every_entity_arrive_unchanged(tmp_path: Path, broker: BrokerProcess) -> None:
    with a_host(tmp_path, broker) as host:
        results: list[EventResult] = []
        encoder, sent = EventEncoder("web-shop"), {}
        with IngestClient.connect(host.address, "web-shop", on_results=results.extend) as client:
            for number, entity in enumerate(load_entities().values()):
                columns = {f.name: number if f.wire == "int64" else f"é {number}\n" for f in entity.fields}
                event_id = client.send(entity.name, columns, MOMENT)
                sent[event_id] = encoder.encode(entity.name, columns, MOMENT).message
        stored = read_broker(broker.address)
        assert len(stored) == len(sent) == len(results)
        for result in results:
            assert result.position is not None
            framed = unframe(stored[result.position][1])
            assert isinstance(framed, Framed)
            assert framed.message == sent[result.event_id]


def test_broker_away_for_a_while_loses_and_invents_nothing(tmp_path: Path, broker: BrokerProcess) -> None:
    """Down for longer than the host's message timeout, so that the client must send again."""
    results: list[EventResult] = []
    with (
        a_host(tmp_path, broker, NEXUS_MESSAGE_TIMEOUT_MS="1000") as host,
        IngestClient.connect(host.address, "web-shop", batching=SMALL, on_results=results.extend) as client,
    ):
        shop = Shop(client, results).open()
        wait_until(lambda: len(results) > 500)
        broker.tell("down")
        wait_until(lambda: client.counts.resent > 0)
        broker.tell("up")
        before = len(results)
        wait_until(lambda: len(results) > before + 500)
        shop.close()
        assert client.flush(WAIT_S)
        require_truth(broker, shop, resent=True)


def test_broker_that_fails_produce_requests_loses_and_invents_nothing(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    results: list[EventResult] = []
    with (
        a_host(tmp_path, broker) as host,
        IngestClient.connect(host.address, "web-shop", batching=SMALL, on_results=results.extend) as client,
    ):
        shop = Shop(client, results).open()
        for _ in range(3):
            before = len(results)
            # not enough replicas, coordinator loading, request timed out, connection cut
            broker.tell("fail", api=0, errors=[19, 14, 7, -195])
            wait_until(lambda: len(results) > before + 300)  # noqa: B023
        shop.close()
        assert client.flush(WAIT_S)
        require_truth(broker, shop, resent=True)


def test_host_killed_and_started_again_loses_nothing(tmp_path: Path, broker: BrokerProcess) -> None:
    results: list[EventResult] = []
    marks = tmp_path / "marks"
    with a_host(tmp_path, broker, NEXUS_ACK_MARKS=str(marks)) as host:
        port = host.address.rpartition(":")[2]
        batching = Batching(size=20, buffer=400, give_up_after_s=WAIT_S)
        with IngestClient.connect(
            host.address, "web-shop", batching=batching, on_results=results.extend
        ) as client:
            shop = Shop(client, results).open()
            for _ in range(2):
                before = len(results)
                wait_until(lambda: len(results) > before + 300)  # noqa: B023
                host.kill()
                told = list(results)
                noted = read_marks(marks, LOG)
                for result in told:
                    at = result.position
                    assert at is not None
                    assert at.offset < noted[at.topic, at.partition], "marked before it was told"
                host.environment["NEXUS_GRPC_PORT"] = port
                host.start()
            before = len(results)
            wait_until(lambda: len(results) > before + 300)
            shop.close()
            assert client.flush(WAIT_S)
            require_truth(broker, shop, resent=True)


def test_sigterm_answers_everything_that_was_read(tmp_path: Path, broker: BrokerProcess) -> None:
    """The real entry point but for the registry; the broker is slow, so that batches are under way."""
    marks = tmp_path / "marks"
    with a_host(tmp_path, broker, NEXUS_ACK_MARKS=str(marks)) as host:
        broker.tell("delay", ms=300)
        with grpc.insecure_channel(host.address) as channel:
            stream = channel.stream_stream(
                METHOD, response_deserializer=ingest_pb2.PutStreamResponse.FromString
            )
            go_on = threading.Event()

            def requests() -> Iterator[bytes]:
                for number in range(10):
                    yield batch(str(number), *(an_event(event_id=f"{number}-{n}") for n in range(20)))
                go_on.wait(WAIT_S)

            answers = stream(requests(), timeout=WAIT_S)
            received = [next(answers)]
            host.signal(signal.SIGTERM)
            with pytest.raises(grpc.RpcError) as error:
                received.extend(answers)
            go_on.set()
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        assert host.wait() == 0
        assert [r.batch_id for r in received] == [str(n) for n in range(10)]
        assert all(v.HasField("position") for r in received for v in r.verdicts)
        stored = read_broker(broker.address, ["orders.v1"])
        assert len(stored) == 200
        ends = {(at.topic, at.partition): 0 for at in stored}
        for at in stored:
            ends[at.topic, at.partition] = max(ends[at.topic, at.partition], at.offset + 1)
        assert read_marks(marks, LOG) == ends
        lines = host.log_lines
        assert [line["message"] for line in lines][:2] == ["serving", "draining"]
        assert (lines[-1]["message"], lines[-1]["unanswered"], lines[-1]["acknowledged"]) == (
            "stopped",
            0,
            200,
        )


def test_sigterm_while_the_broker_is_away_ends_in_time_and_says_so(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    results: list[EventResult] = []
    with a_host(tmp_path, broker, NEXUS_MESSAGE_TIMEOUT_MS="1500") as host:
        client = IngestClient.connect(
            host.address, "web-shop", batching=Batching(give_up_after_s=1.0), on_results=results.extend
        )
        broker.tell("down")
        client.send("orders", an_order(), MOMENT)
        wait_until(lambda: client._outbox._under_way != {})
        host.signal(signal.SIGTERM)
        assert host.wait() == 0, "librdkafka gave the event back: it was refused, not lost from sight"
        client.close(timeout=WAIT_S)
        assert [r.position for r in results] == [None]
        assert all(r.refusal is not None and r.refusal.retryable for r in results)


def test_backlog_of_an_absent_writer_pauses_the_host_and_drops_nothing(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    """More than the embedded broker keeps, twice over: without the bound it drops acknowledged events silently."""
    wide = "x" * 4000
    results: list[EventResult] = []
    with (
        a_host(tmp_path, broker, NEXUS_BACKLOG_BYTES="embedded") as host,
        IngestClient.connect(host.address, "web-shop", on_results=results.extend) as client,
    ):
        sent = [
            client.send("orders", an_order(order_id=f"o-{number}", order_status=wide), MOMENT)
            for number in range(9_000)
        ]
        wait_until(lambda: client.counts.acknowledged > 0)
        assert not client.flush(2.0), "without a writer there is no room for 40 MB"
        assert 0 < client.counts.acknowledged < 9_000
        landed = land_everything(broker, client)
        assert client.flush(WAIT_S)
    assert Counter(r.event_id for r in results) == Counter(sent)
    assert all(r.position for r in results)
    assert {event_id_in("orders.v1", value) for value in landed} == set(sent)
    assert len(landed) == len(sent)


def land_everything(broker: BrokerProcess, client: IngestClient) -> list[bytes]:
    """Reads and commits as the writer does, until the client has nothing pending; offsets have no holes."""
    writer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "nexus-bronze-writer",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    writer.subscribe(["orders.v1"])
    values, next_offsets = [], dict.fromkeys(range(4), 0)
    while client.counts.pending or not values or len(values) < client.counts.acknowledged:
        messages = writer.consume(1000, 0.2)
        for message in messages:
            assert message.error() is None, message.error()
            assert message.offset() == next_offsets[message.partition()], "the broker dropped records"
            next_offsets[message.partition()] += 1
            values.append(message.value())
        if messages:
            writer.commit(asynchronous=False)
    writer.close()
    return values


def test_host_started_again_counts_what_its_predecessor_left(tmp_path: Path, broker: BrokerProcess) -> None:
    given = {"NEXUS_BACKLOG_BYTES": "100000", "NEXUS_MESSAGE_TIMEOUT_MS": "500"}
    with a_host(tmp_path, broker, **given) as host:
        with IngestClient.connect(host.address, "web-shop") as client:
            client.send("orders", an_order(), MOMENT)
        host.kill()
        host.start()
        with grpc.insecure_channel(host.address) as channel:
            put = channel.unary_unary("/nexus.ingest.v1.Ingest/PutBatch")
            answer = ingest_pb2.PutBatchResponse.FromString(put(batch("1", an_event()), timeout=WAIT_S))
            assert answer.verdicts[0].refusal.code == 8, "nobody knows how much is left: it counts as full"
