"""Freshness: from an event's acknowledgement to its row in committed Silver, and to published Gold, as histograms.

    python -m bench.freshness [--rate 200] [--seconds 120]

Starts a lake as `nexus up` does, loads the catalogue, waits for a first Gold, then sends a generated shop's events
through the gRPC host, so many a second. By event id: acknowledged when the client was told; in Silver when the ledger
committed the object that has it; in Gold when the first manifest appeared that names this object. All by one clock.
Rows in Quarantine are left out: they go no further. Prints what each process took, as what else runs here counts too.
Exit code 1 when a promise is broken.
"""

import argparse
import itertools
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pyarrow.parquet as pq

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from bronze_writer.load import load_file
from grpc_ingest.client import IngestClient
from grpc_ingest.results import EventResult
from lakehouse.catalog import load_entities
from lakehouse.errors import RuntimeFault
from lakehouse.paths import PUBLISHED_GOLD, Buckets
from local import drain, runtime
from local.feed import SOURCE, Feed, open_feed
from local.gold import read_published
from local.lake import Lake
from local.run_state import Options, Running
from local.shop import generate_shop

PROMISES = {"Silver": 10.0, "Gold": 30.0}  # seconds, of the 95th of a hundred
ORDERS_PER_EVENT = 0.25  # an order has four events and more
SEED = 5
GOLD_WITHIN_S = 300.0  # from the last acknowledgement; a figure that late has broken its promise long before
LOOK_EVERY_S = 0.05  # at the manifest: how exact Gold's moments are
BARS = 50
PERCENTILES = (50, 95, 99)

Moments = dict[str, float]  # seconds since the epoch, by event id or key


class Sent(NamedTuple):
    """What the client was told. `ends` as `drain` wants them."""

    acknowledged: Moments
    ends: drain.Ends
    refused: int


class GoldWatch(threading.Thread):
    """Notes for each Silver object when the first manifest appeared that names it."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(daemon=True)
        self.lake = lake
        self.shown: Moments = {}
        self.builds: list[float] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Until `ended` is set."""
        path, seen = self.lake.file(self.lake.buckets.gold, PUBLISHED_GOLD), 0
        while not self.ended.wait(LOOK_EVERY_S):
            stamp = path.stat().st_mtime_ns if path.exists() else 0
            if stamp == seen:
                continue
            seen = stamp
            published = read_published(self.lake.root, self.lake.buckets.gold)
            self.builds.append(stamp / 1e9)
            for key in itertools.chain(*published.silver.values()) if published else ():
                self.shown.setdefault(key, stamp / 1e9)


class Burden:
    """CPU seconds of the lake's processes, and of the whole machine, since it was made."""

    def __init__(self, running: Running) -> None:
        self.pids = {**running.children, "supervisor": running.supervisor_pid}
        self.began, self.before, self.machine = time.monotonic(), self._seconds(), _busy()

    def _seconds(self) -> dict[str, float]:
        own = {name: _cpu(pid, children=name != "supervisor") for name, pid in self.pids.items() if pid}
        return {**own, "this client": time.process_time()}

    def told(self) -> str:
        """CPU seconds; what else runs here as a share of the machine."""
        wall = time.monotonic() - self.began
        ours = {name: end - self.before.get(name, 0.0) for name, end in self._seconds().items()}
        rest = (_busy() - self.machine - sum(ours.values())) / wall
        named = ", ".join(
            f"{name} {spent:.1f}" for name, spent in sorted(ours.items(), key=lambda one: -one[1])
        )
        return (
            f"{sum(ours.values()):.0f} CPU seconds in {wall:.0f} s: {named}; "
            f"what else runs here took {max(0.0, rest):.2f} of {psutil.cpu_count()} cores"
        )


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def _cpu(pid: int, *, children: bool) -> float:
    try:
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if children else ())]
        return sum(sum(one.cpu_times()[:4]) for one in family)  # its own, and its ended children's
    except psutil.NoSuchProcess:
        return 0.0


def send(feed: Feed, running: Running, rate: float, count: int) -> Sent:
    """Sends so many events, one every 1/rate s; those that are late follow at once. Waits for all answers."""
    acknowledged: Moments = {}
    ends: dict[tuple[str, str, int], int] = {}
    refused: list[EventResult] = []

    def note(results: Sequence[EventResult]) -> None:
        now = time.time()
        for result in results:
            if result.position is None:
                refused.append(result)
                continue
            acknowledged.setdefault(result.event_id, now)
            place, end = drain.end_behind(result.position)
            ends[place] = max(end, ends.get(place, 0))

    with IngestClient.connect(running.grpc_address, SOURCE, on_results=note) as client:
        began = time.monotonic()
        for number, event in enumerate(itertools.islice(feed.stream(), count)):
            ahead = began + number / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)  # the rate is what is asked for
            client.send(event.entity, event.payload, event.occurred_at, op=event.op, source=event.source)
    return Sent(acknowledged, ends, len(refused))


def silver_moments(lake: Lake, ledger: Ledger) -> Moments:
    """When each Silver object was committed."""
    sql = "select silver_key, committed_at from revision where state = 'committed' and silver_rows > 0"
    found = ledger.read(lambda db: db.run(sql) or [])
    return {key: at.timestamp() for key, at in found}


def waits(
    lake: Lake, acknowledged: Moments, committed: Moments, shown: Moments
) -> Mapping[str, Sequence[float]]:
    """Seconds from the acknowledgement to each layer, of every acknowledged event that Silver has."""
    first: dict[str, dict[str, float]] = {"Silver": {}, "Gold": {}}
    for key, moment in committed.items():
        ids = pq.read_table(lake.file(lake.buckets.silver, key), columns=["event_id"])["event_id"].to_pylist()
        for layer, at in (("Silver", moment), ("Gold", shown.get(key, float("inf")))):
            for event_id in ids:
                if event_id in acknowledged:
                    first[layer][event_id] = min(at, first[layer].get(event_id, float("inf")))
    return {
        layer: [at - acknowledged[event_id] for event_id, at in found.items()]
        for layer, found in first.items()
    }


def histogram(seconds: Sequence[float], promise: float) -> list[str]:
    """One line per bucket of a tenth of the promise; what took twice as long as promised is in the last one."""
    width, last = promise / 10, 20
    counts = Counter(min(last, int(max(0.0, s) / width)) if isfinite(s) else last for s in seconds)
    most = max(counts.values(), default=1)
    return [
        f"  {bucket * width:4.0f}{' s' if bucket < last else '…s'} {'▏' if bucket * width < promise else '!'}"
        f"{'█' * round(BARS * counts[bucket] / most):<{BARS}} {counts[bucket]:>7,}"
        for bucket in range(max(counts, default=0) + 1)
    ]


def show(layer: str, seconds: Sequence[float]) -> bool:
    """Prints a layer; whether it keeps its promise."""
    promise = PROMISES[layer]
    points = {p: float(np.percentile(seconds, p, method="higher")) for p in PERCENTILES}
    named = ", ".join(f"p{p} {value:.1f} s" for p, value in points.items())
    print(f"acknowledged → {layer}: {len(seconds):,} events, {named} (p95 at most {promise:.0f} s)")
    print("\n".join(histogram(seconds, promise)), flush=True)
    return points[95] <= promise


def _open_shop(folder: Path, events: int) -> Feed:
    generate_shop(folder, SEED, max(200, round(events * ORDERS_PER_EVENT)))
    feed = open_feed(folder)
    if feed.total < events:
        raise RuntimeFault(f"the shop has {feed.total:,} events, wanted are {events:,}")
    return feed


def _load_catalogue(feed: Feed, lake: Lake, running: Running) -> drain.Ends:
    store = ObjectStore.connect(running.aws_url, running.region)
    ends: dict[tuple[str, str, int], int] = {}
    for name, path in feed.batch_files.items():
        report = load_file(
            path, load_entities()[name], store, lake.buckets.bronze, now=lambda: datetime.now(UTC)
        )
        ends[report.log, report.topic, 0] = report.records
    return ends


def _await_gold(ledger: Ledger, lake: Lake, watch: GoldWatch, ends: drain.Ends) -> Moments:
    """Until all of it is checked and shown; committed moments. Late events stay without a moment in Gold."""
    drain.wait_until_checked(ledger, ends, lake.run / "logs", lambda _missing: None)
    committed = silver_moments(lake, ledger)
    deadline = time.monotonic() + GOLD_WITHIN_S
    while committed.keys() - watch.shown.keys() and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    return committed


def main() -> int:
    """Prints both histograms; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=200, help="events a second")
    parser.add_argument("--seconds", type=float, default=120)
    wish = parser.parse_args()
    count = round(wish.rate * wish.seconds)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake", Buckets.of(Options().bucket_prefix))
        feed = _open_shop(Path(folder) / "shop", count)
        running = runtime.start(lake.root, Options(), lambda _event: None, ends_with_caller=True)
        watch = GoldWatch(lake)
        watch.start()
        try:
            with Ledger.connect(running.ledger_url).connection as connection:
                ledger = Ledger(connection)
                _await_gold(ledger, lake, watch, _load_catalogue(feed, lake, running))
                burden, built = Burden(running), len(watch.builds)
                sent = send(feed, running, wish.rate, count)
                committed = _await_gold(ledger, lake, watch, sent.ends)
                told = burden.told()
        finally:
            runtime.stop(lake.root, lambda _event: None)
            watch.ended.set()
            watch.join()
        found = waits(lake, sent.acknowledged, committed, watch.shown)
    print(
        f"{count:,} events at {wish.rate:g}/s, {len(sent.acknowledged):,} ids acknowledged, {sent.refused} refused; "
        f"{len(committed):,} Silver objects, {len(watch.builds) - built} builds of Gold"
    )
    print(told)
    kept = [show(layer, found[layer]) for layer in PROMISES]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    raise SystemExit(main())
