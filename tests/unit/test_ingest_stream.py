"""Streams of the host, and its end: answers in order, a bound on what is read, nothing new while it drains."""

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.builders.events import an_event
from tests.fakes.ingest_host import STATUS, Host, batch, refusal_of_call, run, until
from tests.fakes.kafka import (
    PromptBroker,
    SilentBroker,
)


def test_stream_answers_in_order_whatever_order_kafka_answers_in(tmp_path: Path) -> None:
    broker = SilentBroker()

    async def test(host: Host) -> None:
        stream = host.stream()
        for number in range(3):
            await stream.write(
                batch(str(number), an_event(event_id=f"{number}-a"), an_event(event_id=f"{number}-b"))
            )
        await until(lambda: len(broker.waiting) == 6)
        broker.waiting.reverse()
        broker.answer_all()
        for number in range(3):
            answer = await stream.read()
            assert answer.batch_id == str(number)
            assert [v.event_id for v in answer.verdicts] == [f"{number}-a", f"{number}-b"]
            assert [v.position.offset for v in answer.verdicts] == [2 * number, 2 * number + 1]
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() == STATUS.OK

    run(broker, tmp_path, test)


def test_stream_reads_no_further_than_it_may(tmp_path: Path) -> None:
    broker = SilentBroker()

    async def test(host: Host) -> None:
        stream = host.stream()

        async def write() -> None:
            for number in range(200):
                await stream.write(batch(str(number), an_event()))

        writing = asyncio.ensure_future(write())
        await until(lambda: len(broker.records) == 64)
        polls = broker.polls
        await until(lambda: broker.polls > polls + 50)
        assert len(broker.records) == 64
        for number in range(200):
            reading = asyncio.ensure_future(stream.read())
            while not reading.done():
                broker.answer_all()
                await asyncio.sleep(0.001)
            assert reading.result().batch_id == str(number)
        await writing
        stream.cancel()

    run(broker, tmp_path, test)


def test_stream_whose_client_vanishes_leaves_the_host_well(tmp_path: Path) -> None:
    broker = SilentBroker()

    async def test(host: Host) -> None:
        stream = host.stream()
        await stream.write(batch("1", an_event()))
        await until(lambda: len(broker.waiting) == 1)
        stream.cancel()
        broker.answer_all()
        call = asyncio.ensure_future(host.put(an_event()))
        await until(lambda: len(broker.waiting) == 1)
        broker.answer_all()
        await call

    run(broker, tmp_path, test)


def test_drain_answers_what_is_under_way_and_takes_nothing_new(tmp_path: Path) -> None:
    broker = SilentBroker()

    async def test(host: Host) -> int:
        stream, health = host.stream(), health_pb2_grpc.HealthStub(host.channel)
        await stream.write(batch("1", an_event()))
        unary = asyncio.ensure_future(host.put(an_event()))
        await until(lambda: len(broker.waiting) == 2)
        watch = health.Watch(health_pb2.HealthCheckRequest(service="nexus.ingest.v1.Ingest"))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        ending = asyncio.ensure_future(host.end())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        broker.answer_all()
        assert (await stream.read()).batch_id == "1"
        assert (await unary).position.offset == 1
        code, text, _trailing = await refusal_of_call(stream.read())
        assert code == STATUS.UNAVAILABLE
        assert "shutting down" in text
        assert len(broker.records) == 2
        assert (await refusal_of_call(host.put(an_event())))[0] == STATUS.UNAVAILABLE
        return await ending

    assert run(broker, tmp_path, test) == 0


def test_drain_says_what_kafka_never_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = SilentBroker()
    monkeypatch.setattr("grpc_ingest.server.host.FLUSH_S", 0.1)

    async def test(host: Host) -> int:
        code, _text, _trailing = await refusal_of_call(host.put(an_event()))
        assert code == STATUS.UNAVAILABLE
        return await host.end()

    assert run(broker, tmp_path, test, answer_s=0.5) == 1
    assert "1 events were never answered by Kafka" in caplog.text


def test_producer_beyond_repair_ends_the_host(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(host: Host) -> int:
        host.on_fatal[0]("sequence numbers are out of order")
        return await host.ending

    assert run(PromptBroker(), tmp_path, test) == 1
    assert "sequence numbers are out of order" in caplog.text
