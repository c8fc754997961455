"""Packages of functions: small, pure Python, reproducible, and importable with nothing else but the layer."""

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from lakehouse.errors import InputError
from local import assets as builder
from local.assets import build_functions, locked_versions, source_files
from stacks.assets import Assets
from stacks.layers import UNPACKED_MB
from tests.stacks.conftest import ROOT, Assembly
from tests.stacks.reading import resources, text_of

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py"))
LAMBDA_MB = 250  # AWS: a function and its layers, unpacked
# What the runtime has, and what the managed layer has beside it; the tests stand in for both.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six")
LAYER = ("numpy", "pyarrow")


# What a layer of our own brings, by function.
OWN_LAYERS = {"canary": ("grpcio", "protobuf", "typing-extensions")}


def link(folder: Path, names: Iterable[str]) -> Path:
    """A folder with links to these packages and no others."""
    for name in names:
        distribution = importlib.metadata.distribution(name)
        for top in {Path(file).parts[0] for file in distribution.files or [] if ".." not in Path(file).parts}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder


@pytest.mark.parametrize("function", FUNCTIONS)
def test_package_fits_beside_the_layer(assets: Assets, function: str) -> None:
    with zipfile.ZipFile(assets.file(f"{function}.zip")) as package:
        unpacked = sum(entry.file_size for entry in package.infolist()) / 1e6
    assert unpacked <= 15  # far from the limit, so that the layer may grow
    assert unpacked + UNPACKED_MB <= LAMBDA_MB


@pytest.mark.parametrize("function", FUNCTIONS)
def test_package_holds_no_native_code(assets: Assets, function: str) -> None:
    with zipfile.ZipFile(assets.file(f"{function}.zip")) as package:
        for entry in package.infolist():
            start = package.read(entry)[:4]
            assert not entry.filename.endswith((".so", ".pyd", ".dll", ".dylib", ".pyc"))
            assert start[:4] not in (b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe"), entry.filename


@pytest.mark.parametrize("function", FUNCTIONS)
def test_package_is_imported_with_the_layers_that_the_function_has(
    assets: Assets,
    undeployed: Callable[[str], Assembly],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    function: str,
) -> None:
    with zipfile.ZipFile(assets.file(f"{function}.zip")) as package:
        package.extractall(tmp_path)
    [layers] = [
        text_of(found.get("Layers", []))
        for template in undeployed("prod").templates.values()
        for found in resources(template, "AWS::Lambda::Function").values()
        if found["Handler"] == f"lambdas.{function}.handler.lambda_handler"
    ]
    managed = LAYER if "AWSSDKPandas" in layers else ()
    layer = link(tmp_path_factory.mktemp("layer"), [*RUNTIME, *managed, *OWN_LAYERS.get(function, ())])
    code = (
        f"import sys; sys.path[:0] = {[str(tmp_path), str(layer)]!r}\n"
        f"import lambdas.{function}.handler as found\n"
        f"assert found.__file__.startswith({str(tmp_path)!r}), found.__file__\n"
        "assert callable(found.lambda_handler)\n"
    )
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_package_of_check_rows_holds_what_it_reads(assets: Assets) -> None:
    with zipfile.ZipFile(assets.file("check_rows.zip")) as package:
        names = set(package.namelist())
    assert {
        "lakehouse/compiled/orders.json",
        "adapters/ledger/rds_roots.pem",
        "adapters/ledger/migrations/0001_objects_and_positions.sql",
        "lambdas/__init__.py",
        "lambdas/check_rows/handler.py",
        "pg8000/native.py",
        "aws_lambda_powertools/__init__.py",
    } <= names
    others = {name for name in names if name.startswith("lambdas/") and "check_rows" not in name}
    assert others == {"lambdas/__init__.py"}
    assert not {name for name in names if name.startswith(("local/", "stacks/", "tests/", "grpc_ingest/"))}


def test_package_of_the_canary_holds_the_client_and_not_the_host(assets: Assets) -> None:
    with zipfile.ZipFile(assets.file("canary.zip")) as package:
        found = {name for name in package.namelist() if name.startswith("grpc_ingest/")}
    assert {
        "grpc_ingest/client/client.py",
        "grpc_ingest/proto/gen/nexus/ingest/v1/ingest_pb2.py",
        "grpc_ingest/proto/gen/nexus/v1/orders_pb2.py",
    } <= found
    assert not [name for name in found if name.startswith(("grpc_ingest/server", "grpc_ingest/producer"))]


def test_package_is_the_same_wherever_it_is_built(tmp_path: Path) -> None:
    first = build_functions(tmp_path / "first")
    second = build_functions(tmp_path / "second")
    assert [(b.name, b.sha256) for b in first] == [(b.name, b.sha256) for b in second]
    assert all(b.fresh for b in first + second)


def test_package_is_built_again_only_when_something_changed(tmp_path: Path) -> None:
    root, to = tmp_path / "root", tmp_path / "built"
    for folder in ("lakehouse", "adapters", "lambdas"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / builder.LOCK, root)
    assert all(b.fresh for b in build_functions(to, root))
    before = {b.name: b.sha256 for b in build_functions(to, root)}
    assert not any(b.fresh for b in build_functions(to, root))
    with (root / "lambdas/sweep_bronze/handler.py").open("a") as file:
        file.write("# changed\n")
    after = {b.name: b for b in build_functions(to, root)}
    assert {name for name, built in after.items() if built.fresh} == {"sweep_bronze"}
    assert {name for name, built in after.items() if built.sha256 != before[name]} == {"sweep_bronze"}


def test_package_that_was_lost_is_built_again(tmp_path: Path) -> None:
    build_functions(tmp_path)
    (tmp_path / "check_rows.zip").unlink()
    assert {b.name for b in build_functions(tmp_path) if b.fresh} == {"check_rows"}


def test_package_needs_what_the_lock_says(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text((ROOT / builder.LOCK).read_text("utf-8").replace("pg8000==", "pg8000==0."), "utf-8")
    with pytest.raises(InputError, match=r"pg8000 .* is installed, but requirements.txt says 0\."):
        dict(builder.library_files(lock))


def test_locked_versions_are_read_with_their_conditions() -> None:
    lock = 'Jinja2==3.1.6 \\\n    --hash=sha256:00\ncolorama==0.4.6 ; sys_platform == "win32"\n# via\n'
    assert locked_versions(lock) == {"jinja2": "3.1.6", "colorama": "0.4.6"}


def test_sources_are_the_functions_own_and_what_all_share() -> None:
    names = {name for name, _ in source_files(ROOT, "check_rows")}
    assert {name.split("/")[0] for name in names} == {"lakehouse", "adapters", "lambdas"}


def test_assets_that_are_not_built_say_how(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `make assets`"):
        Assets(tmp_path).function("check_rows")
