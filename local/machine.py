"""Whether this machine can run a lake: Python, packages, disk, loopback, what of earlier runs still works, Java."""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker, default_environment

from lakehouse.errors import RuntimeFault
from local.finding import Finding
from local.kafka.jars import find_java, require_jars
from local.lake_folder import MIN_FREE_BYTES
from local.lock_file import plain_name, read_lock
from local.run_state import CODE

OLDEST_PYTHON = (3, 11)
_NAMED = 3  # packages named one by one


def examine_machine(lake: Path, wants_kafka: bool) -> list[Finding]:
    """Everything that does not need the lake to be whole."""
    return [
        python_version(sys.version_info[:3]),
        packages((CODE / "requirements.txt").read_text("utf-8"), installed()),
        disk(lake, shutil.disk_usage(existing(lake)).free),
        folder(lake),
        loopback(),
        kafka(wants_kafka, find_java, require_jars),
    ]


def python_version(version: Sequence[int]) -> Finding:
    """The interpreter that runs this."""
    text = ".".join(map(str, version))
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return Finding.ok("Python", text)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding.problem(
        "Python", f"{text} is too old", f"Install {oldest} or newer, then: rm -r .venv && make setup"
    )


def installed() -> Mapping[str, str]:
    """Version of every installed package, by its plain name."""
    return {plain_name(d.name): d.version for d in metadata.distributions()}


def packages(lock: str, found: Mapping[str, str]) -> Finding:
    """What is installed is what the lock says, for this machine."""
    here = {name: str(value) for name, value in default_environment().items()}
    wanted = [one for one in read_lock(lock) if not one.marker or Marker(one.marker).evaluate(here)]
    wrong = [
        f"{one.name} {found.get(one.name, 'is missing')}, locked is {one.version}"
        for one in wanted
        if found.get(one.name) != one.version
    ]
    if not wrong:
        return Finding.ok("packages", f"all {len(wanted)} as locked")
    more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return Finding.problem(
        "packages",
        "; ".join(wrong[:_NAMED]) + more,
        "make setup; if that changes nothing: rm -r .venv && make setup",
    )


def disk(lake: Path, free: int) -> Finding:
    """Room for a start; `free` in bytes."""
    text = f"{free / 2**30:,.1f} GB are free for {lake}"
    if free >= MIN_FREE_BYTES:
        return Finding.ok("disk", text)
    remedy = (
        f"Free some space ({MIN_FREE_BYTES // 2**20} MB are needed), or take a lake on another disk: --lake"
    )
    return Finding.problem("disk", text, remedy)


def existing(path: Path) -> Path:
    """The path itself or the nearest folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def folder(lake: Path) -> Finding:
    """Whether we may write all of the lake, which may have been made by another account."""
    foreign = [path for path in _parts(lake) if not os.access(path, os.R_OK | os.W_OK | os.X_OK)]
    if not foreign:
        return Finding.ok("permissions", f"{existing(lake)} can be written")
    owner = foreign[0].stat().st_uid
    return Finding.problem(
        "permissions",
        f"{foreign[0]} cannot be written: it belongs to the account {owner}",
        "Run as the account that made the lake, or take another one: --lake",
    )


def _parts(lake: Path) -> Iterator[Path]:
    yield existing(lake)
    for name in ("lake", "meta", "run", "run/logs", "model"):
        if (part := lake / name).is_dir():
            yield part
    if (lake / "lake").is_dir() and os.access(lake / "lake", os.R_OK):
        yield from (path for path in (lake / "lake").iterdir() if path.is_dir())


def loopback() -> Finding:
    """Whether servers may listen on this machine."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return Finding.ok("ports", "servers can listen on 127.0.0.1")
    except OSError as error:
        return Finding.problem(
            "ports",
            f"no server can listen on 127.0.0.1 ({error.strerror or error})",
            "Allow connections to 127.0.0.1 in this machine's firewall or sandbox",
        )


def kafka(wanted: bool, java: Callable[[], object], jars: Callable[[], object]) -> Finding:
    """What `--broker kafka` needs; only a note where nobody asks for it."""
    try:
        text = f"{java()}, jars in {jars()}"
    except RuntimeFault as fault:
        if wanted:
            return Finding.problem("Kafka", str(fault), "As it says; or leave out --broker kafka")
        return Finding.note("Kafka", f"not ready, which matters for --broker kafka alone: {fault}")
    return Finding.ok("Kafka", text)


def left_over(lake: Path, holder_pid: int) -> list[Finding]:
    """Processes that work in the lake's folder though nobody holds the lake. Linux only: elsewhere none are seen."""
    if holder_pid:
        return []
    found = [(pid, name) for pid, name in working_in(lake) if pid != os.getpid()]
    if not found:
        return [Finding.ok("processes", "nothing of an earlier run is left")]
    named = ", ".join(f"{pid} ({name})" for pid, name in found)
    pids = " ".join(str(pid) for pid, _ in found)
    return [
        Finding.problem("processes", f"still at work in {lake}, of an earlier run: {named}", f"kill {pids}")
    ]


def working_in(folder: Path) -> list[tuple[int, str]]:
    """(pid, program) of every process whose working directory lies in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder.absolute()):
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                found.append((int(process.name), " ".join(Path(w).name for w in words[:3] if w).strip()))
        except OSError:  # it ended, or belongs to somebody else
            continue
    return sorted(found)
