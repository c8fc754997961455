"""A shop's day from files to Gold: generate or read, start, load, send, wait, model, account for it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from bronze_writer.load import LoadReport, load_file
from lakehouse.catalog import load_entities
from lakehouse.errors import BrokerError, RuntimeFault
from local import drain, runtime
from local.delivery import Receipts, deliver
from local.feed import Feed, open_feed
from local.gold import PublishedGold
from local.lake import Lake
from local.lake_lock import LakeBusy, LakeLock
from local.model_run import model
from local.report import render_report
from local.report.data import Refused, ReportData, Sent
from local.report_data import LastFeed, gather_report
from local.run_events import Event
from local.run_state import Options, Running
from local.shop import generate_shop


class Task(Protocol):
    """One line of progress."""

    def at(self, done: int, total: int | None = None) -> None:
        """So much is done."""

    def say(self, text: str) -> None:
        """What is being done right now."""


class Stages(Protocol):
    """Shows one task after the other."""

    def task(self, text: str, total: int | None = None) -> Task:
        """Ends the task before and begins this one; no total: only time is shown."""

    def tell(self, event: Event) -> None:
        """A step of starting or stopping."""

    def broke(self) -> None:
        """The task at hand will not be finished."""


@dataclass(frozen=True)
class Wish:
    """What a person asked for. `data` None: a generated shop of so many orders."""

    data: Path | None
    orders: int
    seed: int
    options: Options


@dataclass(frozen=True)
class Done:
    """What a demo can tell at its end."""

    report: ReportData
    gold: PublishedGold
    loads: Mapping[str, LoadReport]
    receipts: Receipts
    notes: tuple[str, ...]
    started_here: bool


def run_demo(lake: Lake, wish: Wish, stages: Stages) -> Done:
    """Runs it all on a lake, which is started if nobody runs it and then stopped again, also after an error.

    Idempotent in effect: a second run resends the same event ids, and loads add nothing.
    """
    lake.root.mkdir(parents=True, exist_ok=True)
    with _only_demo(lake):
        began = time.monotonic()
        folder = wish.data or _generated_shop(lake, wish, stages)
        stages.task("Reading the shop's files")
        feed = open_feed(folder)
        running = runtime.attach(lake.root)
        started_here = running is None
        if running is None:
            stages.task("Starting the lake")
            options = replace(wish.options, refresh=False)  # built below, once and where it can be seen
            running = runtime.start(
                lake.root, options, stages.tell, ends_with_caller=True, command="nexus demo"
            )
        try:
            source = (
                str(folder) if wish.data else f"a generated shop of {wish.orders:,} orders (seed {wish.seed})"
            )
            done = _run_through(lake, running, feed, source, began, stages, started_here)
        except BaseException:
            stages.broke()
            raise
        finally:
            if started_here:
                stages.task("Stopping")
                runtime.stop(lake.root, stages.tell)
        return done


def _run_through(
    lake: Lake, running: Running, feed: Feed, source: str, began: float, stages: Stages, started_here: bool
) -> Done:
    store = ObjectStore.connect(running.aws_url, running.region)
    loads = _load_files(lake, store, feed, stages)
    task = stages.task("Sending events", feed.total)
    receipts = deliver(feed, running, task.at)
    with Ledger.connect(running.ledger_url).connection as connection:
        ledger = Ledger(connection)
        ends = receipts.ends | {(r.log, r.topic, 0): r.records for r in loads.values()}
        _await_checked(ledger, ends, lake, stages)
        _require_delivered(receipts)
        task = stages.task("Building Gold")
        gold = model(lake, ledger, store, datetime.now(UTC), _model_progress(task))
        stages.task("Writing the report")
        sent = Sent(
            grpc=receipts.ways["grpc"],
            plain=receipts.ways["plain"],
            acknowledged=receipts.acknowledged.total(),
            landed=receipts.acknowledged.total(),
            batch_records=sum(r.records for r in loads.values() if r.landed_now),
        )
        refused = tuple(Refused(r.file, r.line, r.reason) for r in feed.refused)
        broker = "an embedded broker" if running.embedded_broker else f"Kafka at {running.broker}"
        by_entity = dict(receipts.sent) | {name: r.records for name, r in loads.items()}
        LastFeed(source, broker, sent, by_entity, refused, round(time.monotonic() - began, 1)).write(lake)
        report = write_report(lake, ledger)
    return Done(report, gold, loads, receipts, feed.notes, started_here)


def write_report(lake: Lake, ledger: Ledger) -> ReportData:
    """Makes `.nexus/report.html` anew from what is known now."""
    data = gather_report(lake, ledger, datetime.now(UTC))
    part = lake.report.with_suffix(".part")
    part.write_text(render_report(data), "utf-8")
    part.replace(lake.report)
    return data


def _generated_shop(lake: Lake, wish: Wish, stages: Stages) -> Path:
    folder = lake.root / "shop" / f"seed-{wish.seed}-orders-{wish.orders}"
    if not (folder / "shop.json").exists():  # written last
        stages.task(f"Making a shop of {wish.orders:,} orders")
        generate_shop(folder, wish.seed, wish.orders)
    return folder


def _load_files(lake: Lake, store: ObjectStore, feed: Feed, stages: Stages) -> dict[str, LoadReport]:
    task = stages.task("Loading batch files", None)
    loads: dict[str, LoadReport] = {}
    for name, path in feed.batch_files.items():
        task.say(f"Loading {name}")
        entity = load_entities()[name]
        loads[name] = load_file(path, entity, store, lake.buckets.bronze, now=lambda: datetime.now(UTC))
    task.say("Loading batch files")
    return loads


def _await_checked(ledger: Ledger, ends: drain.Ends, lake: Lake, stages: Stages) -> None:
    task, awaited = stages.task("Landing and checking"), 0

    def tell(missing: int) -> None:
        nonlocal awaited
        awaited = max(awaited, missing)
        task.at(awaited - missing, awaited)

    drain.wait_until_checked(ledger, ends, lake.run / "logs", tell)


def _require_delivered(receipts: Receipts) -> None:
    """Events that could not be delivered were never acknowledged: the same command sends them again."""
    given_up = [r for r in receipts.refused if r.refusal is not None and r.refusal.retryable]
    if given_up:
        first = given_up[0].refusal
        raise BrokerError(
            f"{len(given_up):,} events were not acknowledged ({first.message if first else ''}). "
            "Nothing acknowledged is lost. Run the same command again: it sends them under the same ids."
        )


def _model_progress(task: Task) -> Callable[[int, int, str], None]:
    def tell(done: int, total: int, name: str) -> None:
        task.at(done, total)
        task.say(f"Building Gold: {name}" if done < total else "Building Gold")

    return tell


@contextmanager
def _only_demo(lake: Lake) -> Iterator[None]:
    folder = lake.root / "demo"
    folder.mkdir(exist_ok=True)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        lock = LakeLock.take(folder, "nexus demo", since)
    except LakeBusy as busy:
        pid = busy.holder.pid if busy.holder else "?"
        raise RuntimeFault(
            f"A demo runs on this lake already (process {pid}). Wait for it, or give this one a lake of its own: "
            "nexus --lake OTHER demo"
        ) from busy
    with lock:
        yield
