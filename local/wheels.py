"""Fetches locked wheels for another machine than this one, unpacked and kept: once per lock.

A kept folder counts only when it is whole: its manifest, with the number and the hash of its files, is written last.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import InputError, RuntimeFault
from local.assets import write_file
from local.lock_file import Locked

ROOT = Path(__file__).parents[1]
WHEELS = ROOT / "build" / "wheels"
_AARCH64 = 0xB7  # ELF's number of the processor
_NOT_THEIRS = frozenset({"__pycache__", "tests", "include", "bin"})

Fetch = Callable[[str], Mapping[str, bytes]]


@dataclass(frozen=True)
class Machine:
    """Where libraries will run: Graviton, one version of Python, and what its C library takes, as uv calls it."""

    python: str
    full_python: str
    platform: str

    @property
    def markers(self) -> Mapping[str, str]:
        """Values of the markers that a lock uses."""
        return {
            "python_version": self.python,
            "python_full_version": self.full_python,
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": "aarch64",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "os_name": "posix",
            "extra": "",
        }


def lock_text(locked: Sequence[Locked]) -> str:
    """A lock of these alone, with their hashes."""
    return "".join(
        f"{one.name}=={one.version} {' '.join(f'--hash={h}' for h in one.hashes)}\n" for one in locked
    )


def fetch_libraries(lock: str, machine: Machine, keep: Path = WHEELS) -> Mapping[str, bytes]:
    """Files of the locked wheels for the machine, by path in its `site-packages`; fetched when they are not kept."""
    told = f"{machine.platform} {machine.python}\n{lock}"
    folder = keep / hashlib.sha256(told.encode()).hexdigest()[:16]
    manifest = folder.with_suffix(".json")
    if not _is_whole(folder, manifest):
        manifest.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        keep.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=keep, prefix="part-") as part:
            _install(lock, machine, Path(part))
            shutil.move(str(Path(part) / "site"), folder)
        write_file(manifest, json.dumps(_inventory(folder)).encode())
    found = {}
    for file in _files(folder):
        inside = file.relative_to(folder)
        if _is_shipped(inside):
            found[inside.as_posix()] = _checked(inside, file.read_bytes(), keep)
    return found


def _is_whole(folder: Path, manifest: Path) -> bool:
    try:
        told = json.loads(manifest.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return bool(told == _inventory(folder))


def _inventory(folder: Path) -> dict[str, int | str]:
    """How many files there are, and one hash over their paths and bytes."""
    total, files = hashlib.sha256(), _files(folder)
    for file in files:
        told = f"{file.relative_to(folder).as_posix()}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n"
        total.update(told.encode())
    return {"files": len(files), "sha256": total.hexdigest()}


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _install(lock: str, machine: Machine, part: Path) -> None:
    (part / "lock.txt").write_text(lock, "utf-8")
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile-bytecode"]
    there = ["--python-platform", machine.platform, "--python-version", machine.python]
    there += ["--target", str(part / "site"), "-r", str(part / "lock.txt")]
    command = [sys.executable, "-m", "uv", "pip", "install", *options, *there]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeFault(
            f"libraries for {machine.platform} cannot be fetched: {done.stderr.strip()[-800:]}. With a way to the "
            "package index, run `make assets` again"
        )


def _is_shipped(inside: Path) -> bool:
    """Not what only the installer writes, which differs from one machine to the next."""
    if inside.parts[0].endswith(".dist-info"):
        return "METADATA" in inside.name or "LICENSE" in inside.name
    return not inside.name.startswith(".") and not _NOT_THEIRS.intersection(inside.parts)


def _checked(inside: Path, content: bytes, keep: Path) -> bytes:
    if content[:4] == b"\x7fELF" and int.from_bytes(content[18:20], "little") != _AARCH64:
        raise InputError(
            f"{inside} is not for Graviton's processor: remove {keep} and run `make assets` again"
        )
    return content
