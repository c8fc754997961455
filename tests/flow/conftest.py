"""What flows of events begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.ingest_processes import (
    BrokerProcess,
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path) as started:
        assert isinstance(started, BrokerProcess)
        yield started


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all builds of Gold in a module: what dbt has parsed is used again."""
    return tmp_path_factory.mktemp("it's [a] lake") / "model"
