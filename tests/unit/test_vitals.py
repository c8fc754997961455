"""The page that balancers and agents ask, of a process in general, of the host and of the writer."""

import asyncio
import socket
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest
from confluent_kafka import KafkaError, KafkaException

from adapters.vitals import Vitals, VitalsPage, metrics_text
from bronze_writer.settings import Settings as WriterSettings
from bronze_writer.vitals import writer_vitals
from grpc_ingest.server.settings import Settings as HostSettings
from grpc_ingest.server.tally import Tally
from grpc_ingest.server.vitals import Pulse, host_vitals
from lakehouse.catalog import load_entities
from lakehouse.errors import RuntimeFault, SettingsError
from tests.builders.events import an_event
from tests.fakes.ingest_host import Host, serving
from tests.fakes.kafka import PromptBroker

TOPICS = [entity.topic for entity in load_entities().values()]


@contextmanager
def a_page(
    alive: str = "", ready: str = "", counts: Mapping[str, float] | None = None
) -> Iterator[VitalsPage]:
    page = VitalsPage("127.0.0.1", 0, Vitals(lambda: alive, lambda: ready, lambda: counts or {}))
    try:
        yield page
    finally:
        page.close()


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


class AskedBroker(PromptBroker):
    """Answers which topics there are, or that it is away."""

    def __init__(self, topics: list[str] | None) -> None:
        super().__init__()
        self.topics = topics

    def list_topics(self, *, timeout: float) -> Any:
        assert 0 < timeout < 60
        if self.topics is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "all brokers down"))
        return SimpleNamespace(topics=dict.fromkeys(self.topics))


@dataclass
class StillStream:
    assigned: bool = True
    silent_s: float = 0.0
    figures: Mapping[str, int] = field(default_factory=dict)


def test_page_answers_200_while_nothing_is_wrong() -> None:
    with a_page() as page:
        assert ask(page.port, "/healthz") == (200, "ok\n")
        assert ask(page.port, "/readyz") == (200, "ok\n")


def test_process_that_is_not_ready_is_alive() -> None:
    with a_page(ready="Kafka is away") as page:
        assert ask(page.port, "/healthz")[0] == 200
        assert ask(page.port, "/readyz") == (503, "Kafka is away\n")


def test_process_that_is_not_alive_is_not_ready() -> None:
    with a_page(alive="draining") as page:
        assert ask(page.port, "/healthz") == (503, "draining\n")
        assert ask(page.port, "/readyz") == (503, "draining\n")


def test_page_names_its_paths_to_who_asks_for_another() -> None:
    with a_page() as page:
        status, text = ask(page.port, "/")
        assert status == 404
        assert "/healthz" in text


def test_taken_port_is_told_with_the_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RuntimeFault, match="NEXUS_HEALTH_PORT"):
            VitalsPage("127.0.0.1", taken.getsockname()[1], Vitals(str, str, dict))


def test_metrics_tell_counters_from_gauges_once_per_family() -> None:
    text = metrics_text({'refused_total{code="B"}': 2, 'refused_total{code="A"}': 1, "lag": 12_345_678_901})
    assert text.splitlines() == [
        "# TYPE lag gauge",
        "lag 12345678901",
        "# TYPE refused_total counter",
        'refused_total{code="A"} 1',
        'refused_total{code="B"} 2',
    ]


def test_host_is_dead_when_its_loop_stands_still_and_not_before() -> None:
    now = [100.0]
    pulse = Pulse(lambda: now[0])
    now[0] += 14
    assert pulse.trouble() == ""
    now[0] += 2
    assert "stands still" in pulse.trouble()


def test_host_that_drains_takes_no_new_connections() -> None:
    pulse = Pulse()
    pulse.draining = True
    assert pulse.trouble() == "draining"


@pytest.mark.parametrize(
    ("topics", "wrong"), [(TOPICS, ""), (None, "does not answer"), (TOPICS[1:], TOPICS[0])]
)
def test_host_is_ready_when_kafka_shows_every_topic(topics: list[str] | None, wrong: str) -> None:
    vitals = host_vitals(Pulse(), AskedBroker(topics), TOPICS, Tally(lambda: 0.0, str))
    assert vitals.alive() == ""
    assert wrong in vitals.ready()
    assert bool(vitals.ready()) == bool(wrong)


def test_running_host_serves_its_page_and_counts_events(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def test(host: Host) -> None:
        await host.put(an_event())
        assert (await asyncio.to_thread(ask, port, "/healthz"))[0] == 200
        assert (await asyncio.to_thread(ask, port, "/readyz"))[0] == 200
        _status, text = await asyncio.to_thread(ask, port, "/metrics")
        assert "nexus_events_acknowledged_total 1\n" in text

    async def go() -> None:
        async with serving(AskedBroker(TOPICS), tmp_path, health_port=port) as host:
            await test(host)

    asyncio.run(go())
    with pytest.raises(OSError, match="refused"):
        ask(port, "/healthz")


def test_writer_is_ready_when_it_has_its_partitions() -> None:
    vitals = writer_vitals(StillStream(assigned=False))
    assert vitals.alive() == ""
    assert vitals.ready()
    assert writer_vitals(StillStream()).ready() == ""


def test_writer_may_be_silent_for_as_long_as_an_assignment_takes() -> None:
    assert writer_vitals(StillStream(silent_s=1_799)).alive() == ""
    assert writer_vitals(StillStream(silent_s=1_801)).alive()


def test_writer_tells_what_its_last_heartbeat_told() -> None:
    counts = writer_vitals(StillStream(figures={"rows": 7, "objects": 2, "lag": 3, "partitions": 4})).counts()
    assert counts == {
        "nexus_landed_rows_total": 7,
        "nexus_landed_objects_total": 2,
        "nexus_landing_lag_records": 3,
        "nexus_assigned_partitions": 4,
    }


@pytest.mark.parametrize("settings", [HostSettings, WriterSettings])
def test_page_is_off_unless_a_port_is_given(settings: Any) -> None:
    plain = {"NEXUS_BROKER": "localhost:9092", "NEXUS_LOG": "shop"}
    assert settings.from_env(plain).health_port is None
    assert settings.from_env(plain).kafka_auth == "none"
    assert settings.from_env(plain | {"NEXUS_HEALTH_PORT": "8081"}).health_port == 8081
    with pytest.raises(SettingsError, match="NEXUS_HEALTH_PORT"):
        settings.from_env(plain | {"NEXUS_HEALTH_PORT": "http"})
