"""Builds what AWS installs: `python -m local.assets [folder]`, one package per Lambda function, without Docker.

A package holds `lakehouse/`, `adapters/`, `lambdas/<name>/` under their real paths and the few libraries that neither
the runtime nor the managed layer is sure to have. All of it is pure Python, so it is the same for every machine; native
code comes from the layer. What has not changed, and was built against the same lock, is not built again.
"""

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import Any

from lakehouse.errors import InputError, NexusError, RuntimeFault
from local.lock_file import plain_name

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "build" / "assets"
LOCK = "requirements.txt"
# boto3 is in the runtime; pg8000 is believed to be in the layer, and costs little to have for sure
LIBRARIES = ("aws-lambda-powertools", "pg8000", "tenacity")
SHARED = ("lakehouse", "adapters")
# What a function needs of other packages. The canary sends as a shop does, with the client of the edge.
MORE: Mapping[str, tuple[str, ...]] = {
    "canary": (
        "grpc_ingest/__init__.py",
        "grpc_ingest/client",
        "grpc_ingest/events.py",
        "grpc_ingest/proto/gen",
        "grpc_ingest/refusal.py",
        "grpc_ingest/requests.py",
        "grpc_ingest/results.py",
        "grpc_ingest/retry.py",
    ),
    # the other half of the check hop: an object that could not be read is checked as any other
    "requeue_quarantine": ("lambdas/check_rows",),
}
_NATIVE = (".so", ".pyd", ".dll", ".dylib", ".a")
# Data that functions read: compiled contracts, migrations, trusted roots. Contracts in YAML are for generators.
_CODE_AND_DATA = (".py", ".json", ".sql", ".pem")
_NOT_SHIPPED = ("__pycache__", "contracts", "compilers")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: bytes depend on content alone
_STAMP = "assets.json"


@dataclass(frozen=True)
class Built:
    """One asset: its file, hash of its bytes, what it takes unpacked."""

    name: str
    inputs: str  # hash of the files in it
    sha256: str
    unpacked_bytes: int
    fresh: bool  # built now, rather than found

    def __str__(self) -> str:
        state = "built" if self.fresh else "as before"
        return f"{self.name:16} {self.unpacked_bytes / 1e6:6.1f} MB unpacked  {self.sha256[:16]}  {state}"


def build_functions(to: Path = BUILT, root: Path = ROOT) -> list[Built]:
    """Packages of all functions, by name. InputError when what is installed is not what the lock says."""
    to.mkdir(parents=True, exist_ok=True)
    libraries = dict(library_files(root / LOCK))
    stamps = read_stamps(to / _STAMP)
    built = []
    for handler in sorted((root / "lambdas").glob("*/handler.py")):
        name = handler.parent.name
        files = {**libraries, **dict(source_files(root, name))}
        built.append(build_zip(to / f"{name}.zip", files, stamps.get(name, {})))
    write_stamps(to / _STAMP, built)
    return built


def source_files(root: Path, function: str) -> Iterator[tuple[str, bytes]]:
    """Our own code and data, by path in the package."""
    for place in (*SHARED, f"lambdas/{function}", *MORE.get(function, ())):
        start = root / place
        for file in [start] if start.is_file() else sorted(start.rglob("*")):
            inside = file.relative_to(root)
            if file.suffix in _CODE_AND_DATA and not set(inside.parts) & set(_NOT_SHIPPED):
                yield inside.as_posix(), file.read_bytes()
    yield "lambdas/__init__.py", (root / "lambdas" / "__init__.py").read_bytes()


def library_files(lock: Path) -> Iterator[tuple[str, bytes]]:
    """The libraries and what they need, as installed here, by path in the package."""
    locked = locked_versions(lock.read_text("utf-8"))
    for found in _with_requirements(LIBRARIES):
        name, version = found.metadata["Name"], found.version
        if locked.get(plain_name(name)) != version:
            raise InputError(
                f"{name} {version} is installed, but {lock.name} says {locked.get(plain_name(name), 'nothing')}: "
                "run `make setup-dev`"
            )
        yield from _distribution_files(found)


def locked_versions(lock: str) -> Mapping[str, str]:
    """Version by name; what is locked for several kinds of machine counts with its last line."""
    return {
        plain_name(name): version
        for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock, re.MULTILINE)
    }


def _with_requirements(names: Iterable[str]) -> list[Distribution]:
    """Distributions of these names and all that they need, without extras, by name."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = plain_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError as error:
            raise InputError(f"{name} is not installed: run `make setup-dev`") from error
        # what has a condition is an extra, or for another Python
        needed = [text for text in found[name].requires or [] if ";" not in text]
        waiting += [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in needed]
    return [found[name] for name in sorted(found)]


def _distribution_files(found: Distribution) -> Iterator[tuple[str, bytes]]:
    for file in sorted(found.files or [], key=str):
        inside = PurePosixPath(file)
        if inside.suffix in _NATIVE:
            raise InputError(
                f"{found.metadata['Name']} brings native code ({inside}): it belongs into a layer"
            )
        told = ".dist-info" in inside.parts[0] and inside.name not in ("METADATA", "LICENSE")
        if ".." not in inside.parts and "__pycache__" not in inside.parts and not told:
            yield str(inside), Path(str(found.locate_file(file))).read_bytes()


def build_zip(path: Path, files: Mapping[str, bytes], stamp: Mapping[str, Any]) -> Built:
    """A zip of these files, unless `stamp` says that it is there."""
    size = sum(len(content) for content in files.values())
    inputs = digest_of(files)
    if path.exists() and stamp.get("inputs") == inputs:
        return Built(path.stem, inputs, stamp["sha256"], size, fresh=False)
    temporary = path.with_suffix(".part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            package.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    temporary.replace(path)
    return Built(path.stem, inputs, hashlib.sha256(path.read_bytes()).hexdigest(), size, fresh=True)


def digest_of(files: Mapping[str, bytes]) -> str:
    """Of names and contents, in whatever order they come."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return total.hexdigest()


def read_stamps(path: Path) -> dict[str, dict[str, Any]]:
    """What was built from what, by name; nothing when nobody knows."""
    try:
        stamps: dict[str, dict[str, Any]] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return stamps


def write_stamps(path: Path, built: Iterable[Built]) -> None:
    """For `read_stamps` of the next time."""
    told = {
        one.name: {"inputs": one.inputs, "sha256": one.sha256, "unpacked": one.unpacked_bytes}
        for one in built
    }
    write_file(path, json.dumps(told, indent=1).encode())


def write_file(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)


def main(arguments: list[str]) -> None:
    """Builds and prints one line per asset."""
    to = Path(arguments[0]) if arguments else BUILT
    try:
        built = build_functions(to)
    except OSError as error:
        raise RuntimeFault(f"assets cannot be written to {to}: {error}") from error
    for one in built:
        print(one)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NexusError as error:
        sys.exit(str(error))
