"""The host over Kafka producers that fail in every way: what is acknowledged is there, what is not is refused."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import grpc
import pytest
from confluent_kafka import KafkaError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from adapters.logs import JsonFormatter
from grpc_ingest.marks import read_marks
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from grpc_ingest.server.host import serve
from grpc_ingest.server.settings import Settings
from lakehouse.errors import RuntimeFault
from lakehouse.identity import Position, event_id_of_position
from tests.builders.events import an_edge, an_event
from tests.fakes.ingest_host import STATUS, Host, batch, refusal_of_call, run, until
from tests.fakes.kafka import (
    FailingBroker,
    ForgetfulBroker,
    FullQueue,
    PromptBroker,
    RefusingProducer,
    SilentBroker,
)


@pytest.fixture
def wide_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host answers 2 s before a client's deadline, so that a slow machine does not miss it."""
    monkeypatch.setattr("grpc_ingest.server.service.ANSWER_S", 2.0)


def codes(verdicts: list[ingest_pb2.Verdict]) -> list[int | None]:
    """gRPC code of each refusal; None for a stored event."""
    return [None if v.HasField("position") else v.refusal.code for v in verdicts]


def test_put_answers_with_the_position(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        for offset in range(3):
            answer = await host.put(an_event(event_id=f"e-{offset}"))
            assert answer.event_id == f"e-{offset}"
            at = answer.position
            assert (at.log, at.topic, at.partition, at.offset) == ("emb-1", "orders.v1", 0, offset)

    run(PromptBroker(), tmp_path, test)


def test_event_without_id_is_answered_with_the_id_of_its_position(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        await host.put(an_event())
        expected = event_id_of_position(Position("emb-1", "orders.v1", 0, 1))
        assert (await host.put(an_event(event_id=None))).event_id == expected

    run(PromptBroker(), tmp_path, test)


@pytest.mark.usefixtures("wide_margin")
def test_put_is_unavailable_when_kafka_never_answers(tmp_path: Path) -> None:
    broker = SilentBroker()

    async def test(host: Host) -> None:
        code, text, trailing = await refusal_of_call(host.put(an_event(), timeout=2.3))
        assert code == STATUS.UNAVAILABLE, "before the client's own deadline"
        assert "same event_id" in text
        assert trailing["nexus-retryable"] == "true"
        assert trailing["nexus-event-id"] == "e-1"
        assert len(broker.records) == 1
        broker.answer_all()
        assert read_marks(tmp_path, "emb-1") == {}, "an answer nobody was told of is no acknowledgement"

    run(broker, tmp_path, test, marks=tmp_path)


def test_put_is_unavailable_after_the_hosts_own_time_when_the_client_gives_none(tmp_path: Path) -> None:
    broker = SilentBroker()

    async def test(host: Host) -> None:
        code, _text, _trailing = await refusal_of_call(host.put(an_event(), timeout=None))
        assert code == STATUS.UNAVAILABLE
        broker.answer_all()

    run(broker, tmp_path, test, answer_s=0.3)


def test_put_is_acknowledged_when_kafka_answers_late(tmp_path: Path) -> None:
    broker = SilentBroker()

    async def test(host: Host) -> None:
        call = asyncio.ensure_future(host.put(an_event()))
        await until(lambda: broker.polls > 20)
        assert not call.done()
        broker.answer_all()
        assert (await call).position.offset == 0

    run(broker, tmp_path, test)


@pytest.mark.parametrize(
    ("error", "status", "retryable"),
    [
        (KafkaError._MSG_TIMED_OUT, STATUS.UNAVAILABLE, "true"),
        (KafkaError._TRANSPORT, STATUS.UNAVAILABLE, "true"),
        (KafkaError.NOT_ENOUGH_REPLICAS, STATUS.UNAVAILABLE, "true"),
        (KafkaError.UNKNOWN, STATUS.UNAVAILABLE, "true"),
        (KafkaError.MSG_SIZE_TOO_LARGE, STATUS.INVALID_ARGUMENT, "false"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, STATUS.FAILED_PRECONDITION, "false"),
        (KafkaError._UNKNOWN_TOPIC, STATUS.FAILED_PRECONDITION, "false"),
        (KafkaError._QUEUE_FULL, STATUS.RESOURCE_EXHAUSTED, "true"),
    ],
)
@pytest.mark.parametrize("kind", [FailingBroker, RefusingProducer])
def test_put_says_what_kafkas_error_means(
    tmp_path: Path, kind: Any, error: int, status: grpc.StatusCode, retryable: str
) -> None:
    async def test(host: Host) -> None:
        code, text, trailing = await refusal_of_call(host.put(an_event()))
        assert (code, trailing["nexus-retryable"]) == (status, retryable)
        assert text
        assert read_marks(tmp_path, "emb-1") == {}

    run(kind(error), tmp_path, test, marks=tmp_path)


def test_put_without_a_position_is_no_acknowledgement(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        code, _text, trailing = await refusal_of_call(host.put(an_event()))
        assert (code, trailing["nexus-retryable"]) == (STATUS.UNAVAILABLE, "true")

    run(ForgetfulBroker(), tmp_path, test)


def test_malformed_event_is_refused_by_name_and_not_produced(tmp_path: Path) -> None:
    broker = PromptBroker()

    async def test(host: Host) -> None:
        code, text, trailing = await refusal_of_call(host.put(an_event(occurred_at=None)))
        assert code == STATUS.INVALID_ARGUMENT
        assert text.startswith("orders.occurred_at: occurred_at is missing")
        assert trailing["nexus-field"] == "orders.occurred_at"
        assert trailing["nexus-retryable"] == "false"
        assert broker.records == []

    run(broker, tmp_path, test)


def test_batch_has_a_verdict_for_each_event(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        events = [an_event(event_id="a"), b"\xff", an_event(event_id="c"), an_event(source=""), b""]
        verdicts = await host.put_batch(events)
        assert codes(verdicts) == [14, 3, None, 3, 3]
        assert [v.event_id for v in verdicts] == ["a", "", "c", "", ""]
        assert verdicts[3].refusal.field == "orders.source"
        assert [v.refusal.retryable for v in verdicts] == [True, False, False, False, False]
        assert await host.put_batch([]) == []

    run(FailingBroker(KafkaError._MSG_TIMED_OUT, times=1), tmp_path, test)


@pytest.mark.usefixtures("wide_margin")
def test_batch_at_its_deadline_tells_what_is_stored_and_what_is_not(tmp_path: Path) -> None:
    broker = SilentBroker()

    async def test(host: Host) -> None:
        call = asyncio.ensure_future(host.put_batch([an_event(), an_event()], timeout=3.0))
        await until(lambda: len(broker.waiting) == 2)
        number, on_delivery = broker.waiting.pop(0)
        broker.answer(number, on_delivery)
        assert codes(await call) == [None, 14]
        assert read_marks(tmp_path, "emb-1") == {("orders.v1", 0): 1}
        broker.answer_all()

    run(broker, tmp_path, test, marks=tmp_path)


def test_full_queue_refuses_what_does_not_fit(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        verdicts = await host.put_batch([an_event(event_id=str(n)) for n in range(4)])
        assert codes(verdicts) == [None, None, 8, 8]
        assert all(v.refusal.retryable for v in verdicts[2:])

    run(FullQueue(room=2), tmp_path, test)


def test_batch_of_too_many_events_is_refused_whole(tmp_path: Path) -> None:
    broker = PromptBroker()

    async def test(host: Host) -> None:
        code, text, _trailing = await refusal_of_call(host.put_batch([b"x"] * 10_001))
        assert code == STATUS.INVALID_ARGUMENT
        assert "10000" in text
        assert broker.records == []

    run(broker, tmp_path, test)


def test_message_beyond_the_bound_is_refused(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        event = an_event(order_status="x" * 70_000)
        code, _text, _trailing = await refusal_of_call(host.put(event))
        assert code == STATUS.RESOURCE_EXHAUSTED

    run(PromptBroker(), tmp_path, test, max_message_bytes=65_536)


def test_bytes_that_are_no_request_are_refused(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        for method in ("Put", "PutBatch"):
            call = host.channel.unary_unary(f"/nexus.ingest.v1.Ingest/{method}")
            code, _text, _trailing = await refusal_of_call(call(b"\xff"))
            assert code == STATUS.INVALID_ARGUMENT
        stream = host.stream()
        await stream.write(batch("1", an_event()))
        await stream.write(b"\xff")
        assert (await stream.read()).batch_id == "1", "what came before is answered"
        assert (await refusal_of_call(stream.read()))[0] == STATUS.INVALID_ARGUMENT

    run(PromptBroker(), tmp_path, test)


def test_health_and_reflection_are_answered(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        health = health_pb2_grpc.HealthStub(host.channel)
        for service in ("", "nexus.ingest.v1.Ingest"):
            found = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert found.status == health_pb2.HealthCheckResponse.SERVING
        code, _text, _trailing = await refusal_of_call(
            health.Check(health_pb2.HealthCheckRequest(service="other"))
        )
        assert code == STATUS.NOT_FOUND
        reflection = reflection_pb2_grpc.ServerReflectionStub(host.channel)
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="nexus.ingest.v1.Ingest"),
        ]
        answers = [answer async for answer in reflection.ServerReflectionInfo(iter(asked))]
        names = {service.name for service in answers[0].list_services_response.service}
        assert {"nexus.ingest.v1.Ingest", "grpc.health.v1.Health"} <= names
        described = b"".join(answers[1].file_descriptor_response.file_descriptor_proto)
        assert b"PutStreamRequest" in described

    run(PromptBroker(), tmp_path, test)


def test_call_is_logged_under_its_trace_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"

    async def test(host: Host) -> None:
        parent = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
        await refusal_of_call(host.put(b"", metadata=parent))
        stream = host.channel.stream_stream("/nexus.ingest.v1.Ingest/PutStream")(
            metadata=(("x-trace-id", "my-trace"),)
        )
        await stream.done_writing()
        assert ("x-trace-id", "my-trace") in tuple(await stream.initial_metadata())
        assert await stream.read() is grpc.aio.EOF

    with caplog.at_level(logging.INFO):
        run(PromptBroker(), tmp_path, test)
    lines = [json.loads(JsonFormatter("grpc-ingest").format(record)) for record in caplog.records]
    refused = next(line for line in lines if "refused" in line["message"])
    assert (refused["trace_id"], refused["method"], refused["code"]) == (trace, "Put", "INVALID_ARGUMENT")
    ended = next(line for line in lines if line["message"] == "stream ended")
    assert ended["trace_id"] == "my-trace"


def test_port_in_use_says_what_to_do(tmp_path: Path) -> None:
    async def test(host: Host) -> None:
        port = int((tmp_path / "ready").read_text())
        settings = Settings(broker="nowhere:1", log="emb-1", port=port)
        with pytest.raises(RuntimeFault, match="NEXUS_GRPC_PORT"):
            await serve(settings, an_edge(), lambda _tell: PromptBroker(), asyncio.Event())

    run(PromptBroker(), tmp_path, test)
