"""Builds what EC2 hosts install: `python -m local.host_artifact [folder]`, one archive per service.

An archive holds `app/` (our packages under their real paths) and `site/` (the locked libraries, unpacked, for the
host's Python and processor). A host needs neither pip nor a package index: in production it has no way to one. Its
bytes depend on content alone. Libraries are fetched when the lock changes; else `build/wheels` has them.
"""

import gzip
import hashlib
import io
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import NexusError
from local import wheels
from local.assets import BUILT, LOCK, ROOT, Built, digest_of, read_stamps, write_file, write_stamps
from local.lock_file import needed_by, read_lock
from local.wheels import Fetch, Machine, fetch_libraries, lock_text

SHARED = ("adapters", "lakehouse")
# Ubuntu 24.04 on Graviton.
HOST = Machine(python="3.12", full_python="3.12.3", platform="aarch64-manylinux_2_39")
_CODE_AND_DATA = (".py", ".json", ".sql", ".pem")
_NOT_OURS = frozenset({"__pycache__", "contracts", "compilers"})  # contracts in YAML are for generators
_STAMP = "hosts.json"


@dataclass(frozen=True)
class HostService:
    """`libraries` are those that the code itself imports; what they need comes from the lock."""

    package: str
    libraries: tuple[str, ...]


SERVICES: Mapping[str, HostService] = {
    "ingest-host": HostService(
        "grpc_ingest",
        (
            "boto3",
            "confluent-kafka",
            "grpcio",
            "grpcio-health-checking",
            "grpcio-reflection",
            "protobuf",
            "tenacity",
        ),
    ),
    "bronze-writer": HostService(
        "bronze_writer", ("boto3", "confluent-kafka", "numpy", "pyarrow", "tenacity")
    ),
}


def build_hosts(to: Path = BUILT, root: Path = ROOT, fetch: Fetch | None = None) -> list[Built]:
    """Archives of all services, by name. `fetch` gives the files of libraries by path for the text of a lock."""
    to.mkdir(parents=True, exist_ok=True)
    lock = read_lock((root / LOCK).read_text("utf-8"))
    stamps = read_stamps(to / _STAMP)
    built = []
    for name, service in SERVICES.items():
        wanted = lock_text(needed_by(lock, service.libraries, HOST.markers))
        sources = dict(source_files(root, service.package))
        builders = b"".join(Path(file).read_bytes() for file in (__file__, wheels.__file__))
        inputs = digest_of({**sources, "lock": wanted.encode(), "builder": builders})
        path = to / f"{name}.tar.gz"
        stamp = stamps.get(name, {})
        if path.exists() and stamp.get("inputs") == inputs:
            built.append(Built(name, inputs, stamp["sha256"], stamp["unpacked"], fresh=False))
            continue
        files = {f"app/{file}": content for file, content in sources.items()}
        files |= {f"site/{file}": content for file, content in (fetch or _fetch)(wanted).items()}
        data = archive({**files, "lock.txt": wanted.encode()})
        write_file(path, data)
        size = sum(map(len, files.values()))
        built.append(Built(name, inputs, hashlib.sha256(data).hexdigest(), size, fresh=True))
    write_stamps(to / _STAMP, built)
    return built


def source_files(root: Path, package: str) -> Iterator[tuple[str, bytes]]:
    """Our own code and data, by path in `app/`."""
    for folder in (package, *SHARED):
        for file in sorted((root / folder).rglob("*")):
            inside = file.relative_to(root)
            if file.suffix in _CODE_AND_DATA and not _NOT_OURS.intersection(inside.parts):
                yield inside.as_posix(), file.read_bytes()


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz in which nothing tells when or by whom it was made."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return out.getvalue()


def _fetch(lock: str) -> Mapping[str, bytes]:
    return fetch_libraries(lock, HOST)


def main(arguments: list[str]) -> None:
    """Builds and prints one line per archive."""
    for one in build_hosts(Path(arguments[0]) if arguments else BUILT):
        print(one)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NexusError as error:
        sys.exit(str(error))
