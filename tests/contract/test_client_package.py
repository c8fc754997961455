"""The client as a package of its own: built from a clone, it runs on gRPC and protobuf alone."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.docs.sources import ROOT

PROJECT = "grpc_ingest/client/pyproject.toml"

# Everything is refused but the package, what it depends on, and Python itself.
USE_IT_ALONE = """
import sys
ALLOWED = {"grpc", "google", "typing_extensions", "grpc_ingest", "lakehouse", *sys.stdlib_module_names}

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED and not name.startswith("_"):
            raise ModuleNotFoundError(f"{name} is not among the client's dependencies", name=name)

sys.meta_path.insert(0, Nothing())
sys.path.insert(0, sys.argv[1])
import grpc_ingest
from grpc_ingest.client import EventEncoder, IngestClient
assert grpc_ingest.__file__.startswith(sys.argv[1]), grpc_ingest.__file__
print(EventEncoder("shop").encode("sellers", {"seller_id": "s"}, 1).entity)
IngestClient.connect("127.0.0.1:9", "shop").close()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds, built in a copy as pip builds it."""
    place = tmp_path_factory.mktemp("client")
    for name in ("grpc_ingest", "lakehouse"):
        shutil.copytree(ROOT / name, place / "clone" / name)
    build = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
    made = subprocess.run(
        [sys.executable, "-c", build, str(place)],
        cwd=(place / "clone" / PROJECT).parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    [wheel] = place.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(place / "site")
    return place / "site"


def test_client_runs_on_its_own_dependencies_alone(installed: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-c", USE_IT_ALONE, str(installed)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (made.returncode, made.stdout) == (0, "sellers\n"), made.stderr


def test_client_asks_for_the_versions_that_the_product_is_tested_with() -> None:
    product = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    client = tomllib.loads((ROOT / PROJECT).read_text("utf-8"))["project"]
    assert set(client["dependencies"]) <= set(product["dependencies"])
    assert client["version"] == product["version"]
