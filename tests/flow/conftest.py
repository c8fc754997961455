"""What flows of events begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.postgres import start_postgres
from tests.flow.ingest_processes import BrokerProcess
from tests.flow.mortal_server import MortalServer


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path) as started:
        assert isinstance(started, BrokerProcess)
        yield started


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all builds of Gold in a module: what dbt has parsed is used again."""
    return tmp_path_factory.mktemp("it's [a] lake") / "model"


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[MortalServer]:
    server = MortalServer(tmp_path, start_postgres(tmp_path / "pg", tmp_path / "logs"))
    yield server
    server.kill()
