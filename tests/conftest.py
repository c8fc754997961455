"""What every test may ask for: a ledger, an AWS, golden files, the real Olist files; and one environment for all."""

import json
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pg8000.native
import pytest
from hypothesis import settings

from adapters.ledger import Ledger
from local.postgres import Postgres, start_postgres, stop_postgres
from tests.flow.aws_process import AwsProcess

# No deadline: two cores shared with other tests make single examples slow without any meaning.
settings.register_profile("nexus", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("nexus")

_AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
# Whoever runs the tests may have these set for work of their own.
_FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")


# Data that is not in the repository: fixture → marker, and the variable that says where it is.
_FROM_ELSEWHERE = {"olist_data": ("olist", "OLIST_DATA"), "gx_cases": ("gx", "GX_CASES")}


def pytest_configure() -> None:
    """The same environment for every test and every process that a test starts."""
    for name in [*_FOREIGN, *(name for name in os.environ if name.startswith("NEXUS_"))]:
        os.environ.pop(name, None)
    os.environ.update(_AWS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make golden` gives."""
    parser.addoption(
        "--write-golden", action="store_true", help="write tests/golden anew instead of comparing"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what uses golden files or data from elsewhere; leaves the latter out where nobody said where they are."""
    without = []
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "golden" in fixtures:
            item.add_marker("golden")
        for fixture, (marker, variable) in _FROM_ELSEWHERE.items():
            if fixture in fixtures:
                item.add_marker(marker)
                if variable not in os.environ:
                    without.append(item)
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


@pytest.fixture(scope="session")
def olist_data() -> Path:
    """The folder of the real Olist files."""
    folder = Path(os.environ["OLIST_DATA"]).resolve()
    assert folder.is_dir(), f"OLIST_DATA names {folder}, which is not a folder"
    return folder


@pytest.fixture(scope="session")
def gx_cases() -> list[dict[str, Any]]:
    """Cases about rows from Great Expectations' own tests."""
    file = Path(os.environ["GX_CASES"]).resolve()
    assert file.is_file(), f"GX_CASES names {file}, which is not a file"
    cases: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
    return cases


class Golden:
    """Compares with files in tests/golden, or writes them under `make golden`."""

    def __init__(self, write: bool) -> None:
        self._write = write

    def check(self, name: str, text: str) -> None:
        """Fails when the file of that name holds another text."""
        path = Path(__file__).parent / "golden" / name
        if self._write:
            path.write_text(text, "utf-8")
        assert path.exists(), f"{path.name} is not there: run `make golden`"
        assert path.read_text("utf-8") == text


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Golden files."""
    return Golden(request.config.getoption("--write-golden"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One server for the worker's whole session."""
    folder = tmp_path_factory.mktemp("postgres")
    server = start_postgres(folder / "pg", folder / "logs")
    yield server
    stop_postgres(server.child)


@pytest.fixture(scope="session")
def aws_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One local AWS for the worker's whole session, for tests that neither stop nor purge it."""
    with AwsProcess(tmp_path_factory.mktemp("aws") / "lake") as server:
        yield server.endpoint


@pytest.fixture(scope="session")
def make_database(postgres: Postgres) -> Callable[[], str]:
    """Makes an empty database and gives its URL."""
    numbers = count()

    def make() -> str:
        name = f"test_{next(numbers)}"
        with pg8000.native.Connection(**postgres.connect_args) as db:
            db.run(f"create database {name}")
        return postgres.url.rpartition("/")[0] + f"/{name}"

    return make


@pytest.fixture
def ledger_url(make_database: Callable[[], str]) -> str:
    """URL of a migrated ledger without content."""
    url = make_database()
    ledger = Ledger.connect(url)
    ledger.migrate()
    ledger.close()
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """A migrated ledger without content."""
    opened = Ledger.connect(ledger_url)
    yield opened
    opened.close()
