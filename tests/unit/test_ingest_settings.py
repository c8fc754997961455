"""Settings of the host and the plain producer: read from a mapping, wrong ones named with what they should hold."""

import re
from pathlib import Path

import pytest
from grpc._cython import cygrpc

from grpc_ingest.producer import Settings as ProducerSettings
from grpc_ingest.server.settings import Settings
from lakehouse.errors import SettingsError

ROOT = Path(__file__).parents[2]
NEEDED = {"NEXUS_BROKER": "127.0.0.1:9092", "NEXUS_LOG": "emb-1"}


def test_settings_have_defaults_but_for_broker_and_log() -> None:
    found = Settings.from_env(NEEDED)
    assert (found.broker, found.log, found.host, found.port) == (
        "127.0.0.1:9092",
        "emb-1",
        "127.0.0.1",
        50051,
    )
    assert (found.marks, found.backlog_bytes, found.aws_endpoint) == (None, 0, None)
    assert (found.message_timeout_s, found.answer_s) == (10.0, 12.0)
    plain = ProducerSettings.from_env(NEEDED)
    assert (plain.broker, plain.log, plain.marks, plain.backlog_bytes) == (found.broker, found.log, None, 0)


def test_settings_are_read() -> None:
    given = {
        **NEEDED,
        "NEXUS_GRPC_HOST": "0.0.0.0",
        "NEXUS_GRPC_PORT": "0",
        "NEXUS_REGISTRY": "shop",
        "AWS_REGION": "sa-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
        "NEXUS_READY_FILE": "/tmp/ready",
        "NEXUS_ACK_MARKS": "/tmp/marks",
        "NEXUS_BACKLOG_BYTES": "embedded",
        "NEXUS_MESSAGE_TIMEOUT_MS": "2500",
        "NEXUS_GRPC_MAX_BYTES": "65536",
        "NEXUS_LOG_LEVEL": "DEBUG",
    }
    assert Settings.from_env(given) == Settings(
        broker="127.0.0.1:9092",
        log="emb-1",
        host="0.0.0.0",
        port=0,
        registry="shop",
        region="sa-east-1",
        aws_endpoint="http://127.0.0.1:5000",
        ready_file=Path("/tmp/ready"),
        marks=Path("/tmp/marks"),
        backlog_bytes=2_500_000,
        message_timeout_s=2.5,
        answer_s=4.5,
        max_message_bytes=65_536,
        log_level="DEBUG",
    )
    plain = ProducerSettings.from_env(given)
    assert (plain.registry, plain.marks, plain.backlog_bytes) == ("shop", Path("/tmp/marks"), 1_000_000)


def test_both_shares_stay_below_what_the_embedded_broker_keeps() -> None:
    embedded = {**NEEDED, "NEXUS_BACKLOG_BYTES": "embedded"}
    shares = Settings.from_env(embedded).backlog_bytes + ProducerSettings.from_env(embedded).backlog_bytes
    assert shares <= 5_000_000 * 0.75, "room for what one process does not know of another's"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEXUS_BROKER", ""),
        ("NEXUS_LOG", ""),
        ("NEXUS_LOG", "Shop 1"),
        ("NEXUS_GRPC_PORT", "65536"),
        ("NEXUS_GRPC_PORT", "http"),
        ("NEXUS_GRPC_PORT", "²"),
        ("NEXUS_BACKLOG_BYTES", "-1"),
        ("NEXUS_BACKLOG_BYTES", "some"),
        ("NEXUS_MESSAGE_TIMEOUT_MS", "99"),
        ("NEXUS_GRPC_MAX_BYTES", "1"),
    ],
)
def test_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({**NEEDED, name: value})


def test_options_of_channels_are_known_to_grpc() -> None:
    """It says nothing of a name that it does not know: pings of idle clients were taken for abuse by one."""
    named = {
        name
        for path in (ROOT / "grpc_ingest").rglob("*.py")
        for name in re.findall(r'\("(grpc\.[a-z0-9_.]+)"', path.read_text("utf-8"))
    }
    known = Path(cygrpc.__file__).read_bytes()
    assert "grpc.http2.min_ping_interval_without_data_ms" in named
    assert {name for name in named if name.encode() not in known} == set()
