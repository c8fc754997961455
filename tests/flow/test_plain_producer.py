"""Events that go to Kafka without the edge: what the host writes, as it is deployed and by a plain producer."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.registry import SchemaRegistry
from grpc_ingest.client import EventResult, IngestClient
from grpc_ingest.marks import read_marks
from grpc_ingest.producer import PlainProducer, Settings
from lakehouse.catalog import load_entities
from lakehouse.wire import Framed, unframe
from tests.builders.events import MOMENT
from tests.flow.ingest_processes import (
    LOG,
    ROOT,
    BrokerProcess,
    ChildProcess,
    own_environment,
    read_broker,
)
from tests.flow.sending_shop import Shop, require_truth


def a_registry(endpoint: str, name: str) -> dict[str, str]:
    registry = SchemaRegistry.connect(endpoint, "us-east-1", name)
    return {entity.name: registry.register(entity) for entity in load_entities().values()}


def test_host_as_it_is_deployed_stamps_the_registrys_ids(
    tmp_path: Path, broker: BrokerProcess, aws_endpoint: str
) -> None:
    ids = a_registry(aws_endpoint, "ingest-host")
    given = {
        "NEXUS_BROKER": broker.address,
        "NEXUS_LOG": LOG,
        "NEXUS_GRPC_PORT": "0",
        "NEXUS_REGISTRY": "ingest-host",
        "AWS_ENDPOINT_URL": aws_endpoint,
        "NEXUS_BACKLOG_BYTES": "embedded",
    }
    with ChildProcess(tmp_path, "real", "grpc_ingest.server", **given) as host:
        with IngestClient.connect(host.address, "web-shop") as client:
            for name in ids:
                client.send(name, {}, MOMENT)
        with PlainProducer.connect(Settings.from_env(given), "web-shop") as producer:
            pass
        assert producer.counts.sent == 0
        host.signal(signal.SIGTERM)
        assert host.wait() == 0, host.log
    for at, (_key, value) in read_broker(broker.address).items():
        framed = unframe(value)
        assert isinstance(framed, Framed)
        assert framed.schema_version_id == ids[at.topic.removesuffix(".v1")]


def test_host_that_cannot_start_says_why(tmp_path: Path, aws_endpoint: str) -> None:
    def run(**environment: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "grpc_ingest.server"]
        given = own_environment(AWS_ENDPOINT_URL=aws_endpoint, **environment)
        done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    code, told = run()
    assert (code, "NEXUS_BROKER is not set" in told, "Traceback" in told) == (2, True, False)
    code, told = run(NEXUS_LOG=LOG, NEXUS_BROKER="127.0.0.1:1", NEXUS_REGISTRY="nobody")
    assert (code, "register it" in told, "Traceback" in told) == (2, True, False)


def test_plain_producer_writes_what_the_host_writes(
    tmp_path: Path, broker: BrokerProcess, aws_endpoint: str
) -> None:
    a_registry(aws_endpoint, "ingest-plain")
    marks, results = tmp_path / "marks", list[EventResult]()
    settings = Settings(
        broker=broker.address,
        log=LOG,
        registry="ingest-plain",
        aws_endpoint=aws_endpoint,
        marks=marks,
        backlog_bytes=1_000_000,
    )
    with PlainProducer.connect(settings, "web-shop", on_results=results.extend) as producer:
        shop = Shop(producer, results)
        for number in range(1_000):
            shop.send(number)
    require_truth(broker, shop, resent=False)
    ends = read_marks(marks, LOG)
    assert sum(ends.values()) == 1_000


def test_plain_producer_outlasts_a_broker_that_is_away(
    tmp_path: Path, broker: BrokerProcess, aws_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_registry(aws_endpoint, "ingest-plain")
    monkeypatch.setattr("grpc_ingest.producer.producer.MESSAGE_TIMEOUT_S", 1.0)
    results: list[EventResult] = []
    settings = Settings(broker.address, LOG, registry="ingest-plain", aws_endpoint=aws_endpoint)
    with PlainProducer.connect(settings, "web-shop", on_results=results.extend) as producer:
        shop = Shop(producer, results)
        broker.tell("down")
        for number in range(200):
            shop.send(number)
        while not producer.counts.resent:
            producer.flush(0.1)
        broker.tell("up")
    assert producer.counts.resent > 0
    require_truth(broker, shop, resent=True)
