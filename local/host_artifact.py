"""Builds what EC2 hosts install: `python -m local.host_artifact [folder]`, one archive per service.

An archive holds `app/` (our packages under their real paths) and `site/` (the locked libraries, unpacked, for the
host's Python and processor). A host needs neither pip nor a package index: in production it has no way to one. Its
bytes depend on content alone. Libraries are fetched when the lock changes; else `build/wheels` has them.
"""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import InputError, NexusError, RuntimeFault
from local.assets import BUILT, LOCK, ROOT, Built
from local.lock_file import Locked, needed_by, read_lock

WHEELS = ROOT / "build" / "wheels"
SHARED = ("adapters", "lakehouse")
# Ubuntu 24.04 on Graviton.
PYTHON = "3.12"
PLATFORM = "aarch64-manylinux_2_39"
MARKERS = {
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.3",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "aarch64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "extra": "",
}
_AARCH64 = 0xB7  # ELF's number of the processor
_CODE_AND_DATA = (".py", ".json", ".sql", ".pem")
_NOT_OURS = frozenset({"__pycache__", "contracts", "compilers"})  # contracts in YAML are for generators
_NOT_THEIRS = frozenset({"__pycache__", "tests", "include", "bin"})
_STAMP = "hosts.json"

Fetch = Callable[[str], Mapping[str, bytes]]


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
    stamps = _read_stamps(to / _STAMP)
    built = []
    for name, service in SERVICES.items():
        wanted = lock_text(needed_by(lock, service.libraries, MARKERS))
        sources = dict(source_files(root, service.package))
        inputs = _hash({**sources, "lock": wanted.encode(), "builder": Path(__file__).read_bytes()})
        path = to / f"{name}.tar.gz"
        stamp = stamps.get(name, {})
        if path.exists() and stamp.get("inputs") == inputs:
            built.append(Built(name, inputs, stamp["sha256"], int(stamp["unpacked"]), fresh=False))
            continue
        files = {f"app/{file}": content for file, content in sources.items()}
        files |= {f"site/{file}": content for file, content in (fetch or fetch_libraries)(wanted).items()}
        data = archive({**files, "lock.txt": wanted.encode()})
        _write(path, data)
        size = sum(map(len, files.values()))
        built.append(Built(name, inputs, hashlib.sha256(data).hexdigest(), size, fresh=True))
    told = {b.name: {"inputs": b.inputs, "sha256": b.sha256, "unpacked": b.unpacked_bytes} for b in built}
    _write(to / _STAMP, json.dumps(told, indent=1).encode())
    return built


def source_files(root: Path, package: str) -> Iterator[tuple[str, bytes]]:
    """Our own code and data, by path in `app/`."""
    for folder in (package, *SHARED):
        for file in sorted((root / folder).rglob("*")):
            inside = file.relative_to(root)
            if file.suffix in _CODE_AND_DATA and not _NOT_OURS.intersection(inside.parts):
                yield inside.as_posix(), file.read_bytes()


def lock_text(locked: Sequence[Locked]) -> str:
    """A lock of these alone, with their hashes."""
    return "".join(
        f"{one.name}=={one.version} {' '.join(f'--hash={h}' for h in one.hashes)}\n" for one in locked
    )


def fetch_libraries(lock: str, keep: Path = WHEELS) -> Mapping[str, bytes]:
    """Files of the locked wheels for the hosts' Python and processor, by path in `site/`; fetched once per lock."""
    folder = keep / hashlib.sha256(f"{PLATFORM} {PYTHON}\n{lock}".encode()).hexdigest()[:16]
    if not folder.is_dir():
        keep.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=keep, prefix="part-") as part:
            _install(lock, Path(part))
            shutil.move(str(Path(part) / "site"), folder)
    found = {}
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.is_file() and _is_shipped(inside):
            found[inside.as_posix()] = _checked(inside, file.read_bytes())
    return found


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


def _install(lock: str, part: Path) -> None:
    (part / "lock.txt").write_text(lock, "utf-8")
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile-bytecode"]
    there = ["--python-platform", PLATFORM, "--python-version", PYTHON, "--target", str(part / "site")]
    command = [sys.executable, "-m", "uv", "pip", "install", *options, *there, "-r", str(part / "lock.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeFault(
            f"the libraries of hosts cannot be fetched: {done.stderr.strip()[-800:]}. With a way to the package index, "
            "run `make assets` again"
        )


def _is_shipped(inside: Path) -> bool:
    """Not what only the installer writes, which differs from one machine to the next."""
    if inside.parts[0].endswith(".dist-info"):
        return "METADATA" in inside.name or "LICENSE" in inside.name
    return not inside.name.startswith(".") and not _NOT_THEIRS.intersection(inside.parts)


def _checked(inside: Path, content: bytes) -> bytes:
    if content[:4] == b"\x7fELF" and int.from_bytes(content[18:20], "little") != _AARCH64:
        raise InputError(
            f"{inside} is not for Graviton's processor: remove {WHEELS} and run `make assets` again"
        )
    return content


def _hash(files: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return total.hexdigest()


def _read_stamps(path: Path) -> dict[str, dict[str, str]]:
    try:
        stamps: dict[str, dict[str, str]] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return stamps


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)


def main(arguments: list[str]) -> None:
    """Builds and prints one line per archive."""
    for one in build_hosts(Path(arguments[0]) if arguments else BUILT):
        state = "built" if one.fresh else "as before"
        print(f"{one.name:16} {one.unpacked_bytes / 1e6:6.1f} MB unpacked  {one.sha256[:16]}  {state}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NexusError as error:
        sys.exit(str(error))
