"""The rehearsal runs hosts as their user data sets them up."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.rehearsal import (
    hosts,
    life,
    smoke_test,
)
from local.rehearsal.deployed import libraries
from local.rehearsal.findings import NotAsPromised
from local.rehearsal.hosts import Host, read_user_data, start_host
from stacks.user_data import HostFacts, render

FACTS = HostFacts(
    service="ingest",
    module="grpc_ingest.server",
    region="us-east-1",
    stack="nexus-dev-ingest",
    group="IngestHosts",
    bucket="assets",
    key="artifact.tar.gz",
    sha256="0" * 64,
    health_port=8080,
    ready_within_s=480,
    settle_s=120,
    stop_s=30,
    environment={"NEXUS_BROKER": "b-1:9098,b-2:9098", "NEXUS_URL": "a=b&c=$HOME"},
)


def test_a_host_is_what_its_user_data_writes(tmp_path: Path) -> None:
    told, environment = read_user_data(render(FACTS), tmp_path / "host")
    assert (told["MODULE"], told["BUCKET"], told["KEY"]) == (
        "grpc_ingest.server",
        "assets",
        "artifact.tar.gz",
    )
    assert environment == FACTS.environment


@pytest.mark.parametrize(
    ("user_data", "why"),
    [
        (render(FACTS).replace("systemctl daemon-reload", "true"), "does not end with host_setup.sh"),
        (render(FACTS).replace("NEXUS_KEY=", "NO_KEY="), "NEXUS_KEY: unbound variable"),
    ],
)
def test_user_data_that_says_something_else_is_refused(user_data: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(NotAsPromised, match=why):
        read_user_data(user_data, tmp_path / "host")


PROBE = """
import os, pathlib
def there(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
names = [name for name in ("shared", "six", "local", "grpc_ingest", "pytest", "boto3") if there(name)]
pathlib.Path(os.environ["NEXUS_READY_FILE"]).write_text(" ".join([os.environ["MODE"], *names]))
"""


def test_a_host_finds_its_artifact_and_what_that_brings_and_no_more(tmp_path: Path) -> None:
    app, said = tmp_path / "app", tmp_path / "said"
    app.mkdir()
    (app / "probe.py").write_text(PROBE)
    (app / "shared.py").touch()
    scene: Any = SimpleNamespace(
        endpoint="http://localhost:1", folder=tmp_path, settings=SimpleNamespace(region="us-east-1")
    )
    brought = libraries(tmp_path / "libraries", ["six"])
    host = Host("probe", "probe", {"MODE": "deployed"}, tmp_path, brought)
    started = start_host(scene, host, {"NEXUS_READY_FILE": str(said)})
    assert started.child.process.wait() == 0, started.child.last_lines()
    assert said.read_text() == "deployed shared six"


def test_what_differs_here_is_told(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text()
    for name in (*hosts.CHANGED, *smoke_test.CHANGED, *life.AT_ONCE, "NEXUS_LEDGER_URL"):
        assert f"`{name}`" in page, f"docs/rehearsal.md does not say that {name} differs"
    scene: Any = SimpleNamespace()
    host = Host("probe", "probe", {}, tmp_path, tmp_path)
    with pytest.raises(AssertionError, match="NEXUS_LOG"):
        start_host(scene, host, {"NEXUS_LOG": "another"})
