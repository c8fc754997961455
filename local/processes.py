"""Children of one process: started with a log file each, waited for until ready, stopped by their own pid.

A child never outlives its parent: on Linux the kernel signals it (PR_SET_PDEATHSIG), elsewhere a guardian
process does (`local.process_guard`). Only direct children are covered; a child that forks looks after its own.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lakehouse.errors import RuntimeFault

T = TypeVar("T")

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
KERNEL_TELLS_CHILDREN = sys.platform == "linux"
# Readiness is a file or a connect to loopback: 20 ms costs nothing and hides no more than 20 ms of a start.
POLL_S = 0.02
LOG_LINES_SHOWN = 15
LOG_TAIL_BYTES = 16_384
# A log is begun anew above this size; one older copy is kept, so a child owns at most about twice this.
LOG_BYTES_KEPT = 10_000_000
# After SIGKILL only a child in uninterruptible disk I/O is still there; it is reported, not waited for.
KILL_WAIT_S = 5.0


@dataclass(frozen=True)
class Command:
    """What to start. `env` is the child's whole environment: nothing is inherited.

    `on_parent_death` reaches the child when the starting process ends without stopping it. `uid` is for the
    one program that refuses to run as root.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    on_parent_death: signal.Signals = signal.SIGKILL
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True)
class Child:
    """A started process. It leads its own session, so a Ctrl-C in the terminal reaches only its parent."""

    name: str
    log: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)
    on_parent_death: signal.Signals = signal.SIGKILL

    @property
    def pid(self) -> int:
        """Its process and session id."""
        return self.process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self.process.poll()

    def last_lines(self) -> str:
        """The end of its log, for a message to a person."""
        return tail(self.log)


class ChildFailed(RuntimeFault):
    """A child ended, or did not become ready in time. The message ends with the last lines of its log."""

    def __init__(self, child: Child, what: str) -> None:
        shown = child.last_lines() or "(nothing)"
        super().__init__(f"{child.name} {what}. The end of its log {child.log}:\n{shown}")
        self.name = child.name


def spawn(command: Command, logs: Path) -> Child:
    """Starts a child with its output appended to `<logs>/<name>.log`.

    Must be called from the main thread: Linux sends the parent-death signal when the starting *thread* ends.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("spawn from the main thread: a child dies with the thread that started it")
    log = logs / f"{command.name}.log"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        begin_anew_when_large(log)
        with log.open("ab") as output:
            process = subprocess.Popen(
                command.argv,
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=command.uid,
                group=command.gid,
                extra_groups=None if command.gid is None else [],
                # one prctl call between fork and exec; whoever spawns has no threads that hold locks it needs
                preexec_fn=_tie_to_parent(command.on_parent_death) if KERNEL_TELLS_CHILDREN else None,  # noqa: PLW1509
            )
    except OSError as error:
        raise RuntimeFault(
            f"{command.name} could not be started: {error}. Command: {command.argv[0]}"
        ) from error
    return Child(command.name, log, process, command.on_parent_death)


def wait_ready(child: Child, ready: Callable[[], T | None], within_s: float) -> T:
    """Polls `ready` until it gives something. Raises ChildFailed when the child ends or the time is over."""
    deadline = time.monotonic() + within_s
    while True:
        answer = ready()
        if answer is not None:
            return answer
        code = child.exit_code()
        if code is not None:
            raise ChildFailed(child, f"{describe_exit(code)} before it was ready")
        if time.monotonic() > deadline:
            raise ChildFailed(child, f"was not ready within {within_s:g} s")
        time.sleep(POLL_S)


def stop(child: Child, first: signal.Signals, within_s: float) -> bool:
    """Sends `first`, after `within_s` seconds SIGKILL to its whole session. True when it ended by itself.

    Idempotent. Raises ChildFailed when even SIGKILL does not end it.
    """
    if child.exit_code() is not None:
        return True
    child.process.send_signal(first)
    if _ended(child, within_s):
        return True
    with suppress(ProcessLookupError, PermissionError):  # it ended in this moment (macOS: PermissionError)
        os.killpg(child.pid, signal.SIGKILL)
    if not _ended(child, KILL_WAIT_S):
        raise ChildFailed(child, f"(pid {child.pid}) does not end even after SIGKILL: its disk may be stuck")
    return False


def kill(child: Child) -> None:
    """Ends it at once, with all it forked into its session."""
    stop(child, signal.SIGKILL, KILL_WAIT_S)


def read_when_written(path: Path) -> str | None:
    """The text of a ready file; None until it is there and not empty. Its writer renames it into place."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None


def free_port() -> int:
    """A TCP port of loopback nobody listens on now; somebody else may take it before its user does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tail(path: Path, lines: int = LOG_LINES_SHOWN) -> str:
    """The last lines of a log, bytes that are not UTF-8 replaced; empty when there is none."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - LOG_TAIL_BYTES))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def begin_anew_when_large(log: Path) -> None:
    """Moves a log of more than LOG_BYTES_KEPT aside, over the one moved before."""
    if log.exists() and log.stat().st_size > LOG_BYTES_KEPT:
        log.replace(log.with_suffix(".log.1"))


def describe_exit(code: int) -> str:
    """`ended with exit code 3`, `was ended by SIGKILL`."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _ended(child: Child, within_s: float) -> bool:
    try:
        child.process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _tie_to_parent(death: signal.Signals) -> Callable[[], None]:
    """Runs in the child between fork and exec, after the change of user (which would clear the setting)."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent, number = os.getpid(), int(death)

    def first_line() -> None:
        prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above: nobody will signal us any more
            os._exit(1)

    return first_line
