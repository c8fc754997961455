"""The life of a host: serves until told to stop, then answers what it has, flushes and says what it could not."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from adapters.vitals import Vitals, VitalsPage
from grpc_ingest.backlog import Backlog, CommittedOffsets
from grpc_ingest.broker import KafkaProducer
from grpc_ingest.marks import AckMarks
from grpc_ingest.records import Edge
from grpc_ingest.server.courier import Courier
from grpc_ingest.server.service import SERVICE, IngestService
from grpc_ingest.server.settings import Settings
from grpc_ingest.server.tally import SUMMARY_S, Tally
from grpc_ingest.server.vitals import Pulse, host_vitals
from lakehouse.errors import RuntimeFault

# A drain ends in time for a supervisor that waits 20 s: calls in hand have `answer_s` (12 s), the flush so much more.
FLUSH_S = 5.0
# How long a stream may outlive the age of its connection.
CUT_S = 60
HEALTH_SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

_log = logging.getLogger(__name__)


async def serve(
    settings: Settings,
    edge: Edge,
    connect: Callable[[Callable[[str], None]], KafkaProducer],
    stop: asyncio.Event,
) -> int:
    """Serves until `stop`, or until the producer is beyond repair: it tells the function that `connect` is given.

    Returns 0 when Kafka answered for everything that was taken, else 1.
    """
    failures: list[str] = []

    def on_fatal(reason: str) -> None:
        failures.append(reason)
        stop.set()

    producer = connect(on_fatal)
    courier = Courier(producer, backlog := _backlog(settings))
    committed = CommittedOffsets(backlog, settings.broker, courier.wake) if backlog else None
    marks = AckMarks(settings.marks, settings.log) if settings.marks else None
    tally = Tally(time.monotonic, lambda: uuid.uuid4().hex)
    service = IngestService(settings.log, edge, courier, marks, tally, settings.answer_s)
    if committed:
        committed.start(edge.topics)
    with ExitStack() as at_end:
        for thing in (marks, committed):
            if thing:
                at_end.callback(thing.close)
        server, health = await _start(settings, service)
        pulse = Pulse()
        page = _open_page(settings, host_vitals(pulse, producer, edge.topics, tally))
        if page:
            at_end.callback(page.close)
        chores = [asyncio.create_task(chore) for chore in (_summarise(tally), pulse.beat())]
        await stop.wait()
        pulse.draining = True
        _log.info("draining", extra=tally.totals())
        await health.enter_graceful_shutdown()
        courier.begin_drain()
        service.begin_drain()
        await server.stop(settings.answer_s)
        for chore in chores:
            chore.cancel()
        left = await courier.end_drain(FLUSH_S)
    return _tell_end(tally, left, failures)


def _backlog(settings: Settings) -> Backlog | None:
    return Backlog(settings.backlog_bytes) if settings.backlog_bytes else None


def _open_page(settings: Settings, vitals: Vitals) -> VitalsPage | None:
    return None if settings.health_port is None else VitalsPage(settings.host, settings.health_port, vitals)


def _connection_options(settings: Settings) -> tuple[tuple[str, int], ...]:
    """Behind a balancer of connections, each ends after a while: its client takes another host, perhaps a new one."""
    if not settings.connection_age_s:
        return ()
    return (
        ("grpc.max_connection_age_ms", settings.connection_age_s * 1000),
        # Calls in hand end by themselves; a stream that never does is cut, and its client sends the rest again.
        ("grpc.max_connection_age_grace_ms", CUT_S * 1000),
        # A network balancer forgets a connection that is silent for 350 s.
        ("grpc.keepalive_time_ms", 120_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    )


async def _start(
    settings: Settings, service: IngestService
) -> tuple[grpc.aio.Server, health_aio.HealthServicer]:
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            # Two hosts on one port would share its calls without anybody noticing.
            ("grpc.so_reuseport", 0),
            # Clients ping every 20 s to notice a dead host; gRPC's default takes that for abuse.
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            *_connection_options(settings),
        )
    )
    server.add_generic_rpc_handlers((service.handler(),))
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection((SERVICE, HEALTH_SERVICE, reflection.SERVICE_NAME), server)
    address = f"{settings.host}:{settings.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise RuntimeFault(
            f"The host cannot listen on {address}. Stop the program that has the port, or set NEXUS_GRPC_PORT "
            "to another one (0 takes any free one)."
        ) from error
    await server.start()
    await health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    _log.info("serving", extra={"address": f"{settings.host}:{port}", "log": settings.log})
    if settings.ready_file:
        _write_whole(settings.ready_file, str(port))
    return server, health


async def _summarise(tally: Tally) -> None:
    while True:
        await asyncio.sleep(SUMMARY_S)
        tally.summarise()


def _tell_end(tally: Tally, left: int, failures: list[str]) -> int:
    if left:
        _log.error(
            "%d events were never answered by Kafka: they are not acknowledged, their clients will resend them",
            left,
        )
    if failures:
        _log.error("the Kafka producer is beyond repair (%s): start the host again", failures[0])
    _log.info("stopped", extra={"unanswered": left, **tally.totals()})
    return 1 if left or failures else 0


def _write_whole(path: Path, text: str) -> None:
    """A reader sees the file with all of its text, or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
