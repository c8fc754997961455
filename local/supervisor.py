"""The one process that starts, watches and stops everything of a lake: `python -m local.supervisor --lake .nexus`.

Holds the lake's lock for its life. SIGTERM or SIGINT drains and ends; SIGQUIT ends without waiting for anybody.
Exit codes: 0 ended as asked, 1 could not start or failed, 3 somebody else holds the lake.
"""

import argparse
import json
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from adapters.logs import configure_logs
from lakehouse.catalog import load_entities
from lakehouse.errors import NexusError
from local.children import build_table
from local.lake_folder import prepare_folder
from local.lake_lock import LakeBusy, LakeLock
from local.process_guard import Guard
from local.processes import KERNEL_TELLS_CHILDREN
from local.run_events import EventFile, events_path
from local.run_state import CODE, Options, Running, Site, write_state
from local.start_steps import STEPS, close_log
from local.supervision import ChildPlan, CloseLog, Supervision

_log = logging.getLogger(__name__)

START_POLL_S = 0.02
# A child's death, a signal and the caller's end wake the loop at once; this is for rests that end.
IDLE_POLL_S = 0.25
LAKE_BUSY = 3
LOG_HINT = "run/supervisor.log of the lake"


class Signals:
    """Notes the wish to end, and wakes `wait` when a signal comes, a child dies or the caller is gone."""

    def __init__(self, ends_with_caller: bool) -> None:
        self.end = self.at_once = False
        self._read, write = socket.socketpair()
        self._read.setblocking(False)
        write.setblocking(False)
        self._keep = write
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._wish)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._caller = [sys.stdin] if ends_with_caller else []

    def wait(self, seconds: float) -> None:
        """Returns early when something happened."""
        readable, _, _ = select.select([self._read, *self._caller], [], [], seconds)
        if self._read in readable:
            with suppress(BlockingIOError):
                self._read.recv(4096)
        if self._caller and self._caller[0] in readable and not os.read(self._caller[0].fileno(), 64):
            self._caller = []  # end of its pipe: whoever started us ended, however it ended
            self.end = True

    def _wish(self, number: int, _frame: FrameType | None) -> None:
        self.end = True
        self.at_once = self.at_once or number == signal.SIGQUIT


def product_table(site: Site) -> Sequence[ChildPlan]:
    """What `nexus up` runs."""
    return build_table(site, STEPS, [entity.topic for entity in load_entities().values()])


def main(
    argv: Sequence[str] | None = None,
    build: Callable[[Site], Sequence[ChildPlan]] = product_table,
    close: CloseLog = close_log,
) -> int:
    """Runs until told to end."""
    arguments = _parse(argv)
    configure_logs("supervisor")
    lake: Path = arguments.lake.absolute()
    signals = Signals(arguments.ends_with_caller)
    try:
        prepare_folder(lake)
    except NexusError as error:
        _log.error("%s", error)
        return 1
    with closing(EventFile(events_path(lake, os.getpid()), _now)) as events:
        try:
            with LakeLock.take(lake, arguments.command, _now().isoformat(timespec="seconds")):
                site = Site(lake, _options(arguments))
                return serve(site, build(site), close, signals, events)
        except LakeBusy as error:
            events.tell("failed", str(error))
            return LAKE_BUSY
        except NexusError as error:
            events.tell("failed", str(error))
            return 1


def serve(
    site: Site, table: Sequence[ChildPlan], close: CloseLog, signals: Signals, events: EventFile
) -> int:
    """Starts the table, looks after it until told to end, drains it. To be called under the lake's lock."""
    _forget_former_runs(site)
    supervision = Supervision(site, table, close, events.tell)
    guard = None if KERNEL_TELLS_CHILDREN else Guard(CODE)
    started_at, failed = _now().isoformat(timespec="seconds"), True
    try:
        _start(supervision, signals, guard)
        if not signals.end:
            for note in supervision.site.notes:
                events.tell("note", note)
            _announce(supervision, started_at)
            events.tell("running", f"the lake {site.lake} is up", done=len(table), of=len(table))
            _look_after(supervision, signals, guard, started_at)
        failed = False
    except NexusError as error:
        events.tell("failed", str(error))
    except Exception as error:  # noqa: BLE001 the outermost loop: everything is drained and it is told
        _log.exception("unexpected")
        events.tell(
            "failed", f"The supervisor failed ({error!r}): a defect, please report it with {LOG_HINT}."
        )
    finally:
        supervision.drain(lambda: signals.at_once)
        (site.run / "state.json").unlink(missing_ok=True)
        events.tell("ended", "everything is stopped")
        if guard:
            guard.close()
    return 1 if failed else 0


def _forget_former_runs(site: Site) -> None:
    (site.run / "state.json").unlink(missing_ok=True)
    for old in site.run.glob("events-*.jsonl"):
        if old != events_path(site.lake, os.getpid()):
            old.unlink()


def _start(supervision: Supervision, signals: Signals, guard: Guard | None) -> None:
    while not supervision.start_step() and not signals.end:
        _tell_guard(guard, supervision)
        signals.wait(START_POLL_S)
    if not signals.end:
        supervision.close_left_logs()


def _look_after(supervision: Supervision, signals: Signals, guard: Guard | None, started_at: str) -> None:
    known = (supervision.site, supervision.pids())
    while not signals.end:
        signals.wait(IDLE_POLL_S if supervision.all_ready() else START_POLL_S)
        supervision.heal_step()
        if (now := (supervision.site, supervision.pids())) != known:
            known = now
            _tell_guard(guard, supervision)
            _announce(supervision, started_at)


def _announce(supervision: Supervision, started_at: str) -> None:
    write_state(Running.of(supervision.site, started_at, supervision.pids(), supervision.restarts()))


def _tell_guard(guard: Guard | None, supervision: Supervision) -> None:
    if guard:
        guard.watch_only(
            {post.child.pid: post.child.on_parent_death for post in supervision.posts if post.child}
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        bucket_prefix=arguments.bucket_prefix,
        region=arguments.region,
        registry=arguments.registry,
        partitions=arguments.partitions,
        check_processes=arguments.check_processes,
        refresh=not arguments.no_refresh,
        grpc_port=arguments.grpc_port,
        broker=arguments.broker,
        log=arguments.log,
        ledger_url=arguments.ledger,
        broker_control=arguments.broker_control,
        environment=json.loads(arguments.child_environment),
    )


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.supervisor", description=__doc__)
    defaults = Options()
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--broker", default="", metavar="HOST:PORT", help="a real Kafka; needs --log")
    parser.add_argument("--log", default="", help="id of this incarnation of a real Kafka's topics")
    parser.add_argument("--ledger", default="", metavar="URL", help="a PostgreSQL of your own")
    parser.add_argument("--bucket-prefix", default=defaults.bucket_prefix)
    parser.add_argument("--region", default=defaults.region)
    parser.add_argument("--registry", default=defaults.registry)
    parser.add_argument("--partitions", type=int, default=defaults.partitions)
    parser.add_argument("--check-processes", type=int, default=defaults.check_processes)
    parser.add_argument("--no-refresh", action="store_true", help="Gold stays until `nexus model`")
    parser.add_argument("--grpc-port", type=int, default=defaults.grpc_port, help="0 takes any free one")
    parser.add_argument("--broker-control", action="store_true", help="take orders for broker faults (tests)")
    parser.add_argument("--child-environment", default="{}", metavar="JSON", help="added to every child's")
    parser.add_argument("--ends-with-caller", action="store_true", help="drain when stdin ends")
    parser.add_argument("--command", default="python -m local.supervisor", help="what others are told it is")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
