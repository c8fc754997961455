"""Start, find and stop a lake on this machine: what the command line uses. Everything else is the supervisor's.

`start` returns when everything works, `stop` when everything is drained and ended; both report events on the
way. Errors are RuntimeFault (LakeBusy, NotRunning among them), whose text says what to do.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lakehouse.errors import RuntimeFault
from local.lake_folder import prepare_folder
from local.lake_lock import Holder, LakeBusy, read_holder
from local.processes import begin_anew_when_large, tail
from local.run_events import Event, EventReader, events_path, stamp
from local.run_state import CODE, DUMMY_KEY, Options, Running, read_state

POLL_S = 0.02
# The longest first start seen is 5 s on two cores; a cold disk or a ledger in recovery may take ten times that.
START_S = 90.0
# The supervisor's own limits for its children add up to 285 s; it must have a say before we give up on it.
STOP_S = 320.0
SUPERVISOR = "local.supervisor"
LOG = "supervisor.log"

OnProgress = Callable[[Event], None]

# Supervisors started by this process, kept so that they can be waited for when they end.
_ours: dict[int, "subprocess.Popen[bytes]"] = {}


class NotRunning(RuntimeFault):
    """Nobody runs this lake."""

    def __init__(self, lake: Path) -> None:
        super().__init__(f"Nothing runs the lake {lake}. Start it with `nexus up`.")


def start(
    lake: Path,
    options: Options,
    on_progress: OnProgress,
    *,
    ends_with_caller: bool = False,
    command: str = "nexus up",
    base_environment: Mapping[str, str] | None = None,
) -> Running:
    """Starts a supervisor in a session of its own and waits until it says that everything works.

    `ends_with_caller`: it drains and ends when this process does, however that happens; otherwise it stays.
    `base_environment` (PATH and the like) is all that the supervisor inherits. Ctrl-C meanwhile stops it again.
    """
    lake = lake.absolute()
    prepare_folder(lake)
    holder = read_holder(lake)
    if holder:
        raise LakeBusy(lake, holder)
    since = stamp(datetime.now(UTC))
    process = _spawn_supervisor(lake, options, ends_with_caller, command, base_environment or {})
    try:
        _follow_start(lake, process, since, on_progress)
    except BaseException:
        _end(process)
        raise
    running = attach(lake)
    if running is None:
        raise RuntimeFault(f"The supervisor ended right after its start. Its log: {lake / 'run' / LOG}")
    return running


def attach(lake: Path) -> Running | None:
    """The lake as it runs now; None when nobody runs it (or its supervisor is still starting)."""
    lake = lake.absolute()
    holder, running = read_holder(lake), read_state(lake)
    return running if holder and running and running.supervisor_pid == holder.pid else None


def require(lake: Path) -> Running:
    """As `attach`, but raises NotRunning, or LakeBusy while it is being started or stopped."""
    running = attach(lake)
    if running is None:
        holder = read_holder(lake.absolute())
        raise LakeBusy(lake, holder) if holder else NotRunning(lake)
    return running


def stop(lake: Path, on_progress: OnProgress, *, at_once: bool = False) -> bool:
    """Has the supervisor drain and end; False when nobody ran the lake.

    `at_once` waits for nobody: acknowledged events that only an embedded broker holds are lost, and the ledger
    will say which. Safe to call twice, also from two processes.
    """
    lake = lake.absolute()
    holder = read_holder(lake)
    if holder is None:
        return False
    events = EventReader(events_path(lake, holder.pid), from_end=True)
    with suppress(ProcessLookupError):  # it ended in this moment
        os.kill(holder.pid, signal.SIGQUIT if at_once else signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while _still_holds(lake, holder):
        for event in events.fresh():
            on_progress(event)
        if time.monotonic() > deadline:
            raise RuntimeFault(
                f"Process {holder.pid} has not ended within {STOP_S:g} s. Its log: {lake / 'run' / LOG}. "
                "To end it without waiting for what it holds: nexus down --now"
            )
        time.sleep(POLL_S)
    for event in events.fresh():
        on_progress(event)
    if process := _ours.get(holder.pid):
        _forget(process)
    return True


def _spawn_supervisor(
    lake: Path, options: Options, ends_with_caller: bool, command: str, base: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", SUPERVISOR, "--lake", str(lake), "--command", command]
    for name, value in (
        ("--bucket-prefix", options.bucket_prefix),
        ("--region", options.region),
        ("--registry", options.registry),
        ("--partitions", str(options.partitions)),
        ("--check-processes", str(options.check_processes)),
        ("--grpc-port", str(options.grpc_port)),
        ("--broker", options.broker),
        ("--log", options.log),
        ("--ledger", options.ledger_url),
        ("--child-environment", json.dumps(dict(options.environment))),
    ):
        argv += [name, value]
    argv += ["--broker-control"] * options.broker_control + ["--ends-with-caller"] * ends_with_caller
    argv += ["--no-refresh"] * (not options.refresh)
    log = lake / "run" / LOG
    begin_anew_when_large(log)
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            env={"PATH": os.defpath, **base, **_supervisor_environment()},
            cwd=CODE,
            stdin=subprocess.PIPE if ends_with_caller else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _ours[process.pid] = process
    return process


def _supervisor_environment() -> dict[str, str]:
    return {
        "PYTHONPATH": str(CODE),
        "PYTHONUNBUFFERED": "1",
        "AWS_ACCESS_KEY_ID": DUMMY_KEY,
        "AWS_SECRET_ACCESS_KEY": DUMMY_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _follow_start(
    lake: Path, process: "subprocess.Popen[bytes]", since: str, on_progress: OnProgress
) -> None:
    events = EventReader(events_path(lake, process.pid), since)
    deadline = time.monotonic() + START_S
    while True:
        code = process.poll()
        for event in events.fresh():
            if event.kind == "failed":
                raise RuntimeFault(event.text)
            on_progress(event)
            if event.kind == "running":
                return
        if code is not None:
            holder = read_holder(lake)
            if holder:
                raise LakeBusy(lake, holder)
            raise RuntimeFault(tail(lake / "run" / LOG) or f"The supervisor ended with exit code {code}.")
        if time.monotonic() > deadline:
            raise RuntimeFault(f"Not everything was ready within {START_S:g} s. Log: {lake / 'run' / LOG}")
        time.sleep(POLL_S)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
    _forget(process)


def _forget(process: "subprocess.Popen[bytes]") -> None:
    process.wait()
    if process.stdin:
        process.stdin.close()
    _ours.pop(process.pid, None)


def _still_holds(lake: Path, holder: Holder) -> bool:
    if process := _ours.get(holder.pid):
        process.poll()
    now = read_holder(lake)
    return now is not None and now.pid == holder.pid
