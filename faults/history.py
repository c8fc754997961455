"""One history: a shop that sends, faults that strike, the dust that settles, the auditor's verdict."""

import logging
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
from confluent_kafka import KafkaException

from adapters.ledger import Ledger
from adapters.objects import STORE_ERRORS, ObjectStore
from faults.auditor import Finding, audit
from faults.evidence import (
    Evidence,
    read_broker,
    read_gold,
    read_layer,
    read_told_expired,
    silver_files,
    without_abandoned,
)
from faults.kinds import KINDS, ONE, THREE, Kind, fitting
from faults.shop import Shop
from faults.waiting import NotSettled
from faults.world import PREFIX, TOPICS, World
from lakehouse.paths import Buckets
from local import runtime
from local.lake import Lake
from local.model_run import model

# Findings that are no loss: nobody knows what became of the events.
NOT_SETTLED, BROKE_OFF = "did not settle", "the history broke off"
# Seconds between two faults: shorter ones strike while the last is still being healed.
_BETWEEN_S = (0.2, 2.5)
# A workload's seed must not be the history's own: shrinking changes the faults, and keeps the events.
_WORK = 0x5EED


@dataclass(frozen=True)
class Plan:
    """What is drawn from a seed. `strikes`: places in KINDS, in order; each with a seed of its own."""

    seed: int
    strikes: tuple[tuple[int, int], ...]

    @property
    def brokers(self) -> int:
        """How many brokers Kafka has: every other history is one of three."""
        return brokers_of(self.seed)

    @classmethod
    def draw(cls, seed: int, faults: int, first: Sequence[int] = ()) -> "Plan":
        """`faults` strikes; those of `first` come for sure, the others by weight."""
        dice = random.Random(seed)
        places = list(first)[:faults]
        could = fitting(brokers_of(seed))
        places += dice.choices(could, [KINDS[place].weight for place in could], k=faults - len(places))
        dice.shuffle(places)
        return cls(seed, tuple((place, dice.getrandbits(32)) for place in places))

    def without(self, number: int) -> "Plan":
        """The same without its strike of this number."""
        return Plan(self.seed, self.strikes[:number] + self.strikes[number + 1 :])


def brokers_of(seed: int) -> int:
    """Of the history with this seed."""
    return ONE if seed % 2 else THREE


def deal(seeds: Sequence[int], faults: int) -> dict[int, list[int]]:
    """Places of the kinds that each history has for sure: all are dealt once round before dice decide alone."""
    dealt: dict[int, list[int]] = {seed: [] for seed in seeds}
    for place in range(len(KINDS)):
        could = [s for s in seeds if place in fitting(brokers_of(s)) and len(dealt[s]) < faults]
        if could:
            dealt[min(could, key=lambda seed: len(dealt[seed]))].append(place)
    return dealt


@dataclass(frozen=True)
class Verdict:
    """How it ended. `struck`: the kinds that were injected."""

    plan: Plan
    struck: tuple[Kind, ...]
    events: int
    acknowledged: int
    refused: int
    seconds: float
    findings: tuple[Finding, ...]


def run(plan: Plan, tell: Callable[[str], None]) -> Verdict:
    """Runs a history in a folder of its own. The folder stays where there are findings, and is named."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"nexus-faults-{plan.seed}-"))
    struck: list[Kind] = []
    findings: tuple[Finding, ...]
    shop: Shop | None = None

    def progress(text: str) -> None:
        tell(f"{time.monotonic() - began:5.1f} s  {text}")

    try:
        with _logged(folder / "history.log"), World(folder, plan.seed ^ _WORK, plan.brokers) as world:
            shop = world.open_shop()
            for place, seed in plan.strikes:
                dice = random.Random(seed)
                time.sleep(dice.uniform(*_BETWEEN_S))
                progress(KINDS[place].name)
                _strike(KINDS[place], world, dice)
                struck.append(KINDS[place])
            progress("all struck")
            world.settle()
            progress("settled")
            findings = (*world.noted, *audit(_collect(world), shop.acknowledged, shop.sent))
    except NotSettled as error:
        findings = (Finding(NOT_SETTLED, str(error)),)
    except Exception:  # noqa: BLE001 - a history's outermost loop: the next ones run all the same
        findings = (Finding(BROKE_OFF, traceback.format_exc(limit=-3)),)
    sent, acknowledged, refused = (shop.sent, shop.acknowledged, shop.refused) if shop else ([], [], [])
    if findings:
        tell(f"kept to look at: {folder}")
    else:
        _remove(folder)
    counts = len(sent), len(acknowledged), len(refused)
    return Verdict(plan, tuple(struck), *counts, time.monotonic() - began, findings)


def _strike(kind: Kind, world: World, dice: random.Random) -> None:
    """Injects; once more when a fault before had taken away what the injection itself needs."""
    try:
        kind.inject(world, dice)
    except (*STORE_ERRORS, KafkaException, grpc.RpcError):
        world.wait_healed()
        kind.inject(world, dice)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What libraries and the shop's client say meanwhile goes into a file."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def shrink(verdict: Verdict, tell: Callable[[str], None]) -> Verdict:
    """Leaves out strikes as long as the same kinds of findings come: a short history that still fails."""
    kinds = {finding.kind for finding in verdict.findings}
    number = 0
    while number < len(verdict.plan.strikes):
        tried = run(verdict.plan.without(number), tell)
        if kinds & {finding.kind for finding in tried.findings}:
            verdict = tried
        else:
            number += 1
    return verdict


def _collect(world: World) -> Evidence:
    running = world.running
    lake = Lake(world.lake, Buckets.of(PREFIX))
    ledger = Ledger.connect(running.ledger_url)
    try:
        store = ObjectStore.connect(running.aws_url, running.region)
        model(lake, ledger, store, datetime.now(UTC), lambda *_, **__: None)
    finally:
        ledger.close()
    told_expired = read_told_expired(running.ledger_url)
    runtime.stop(world.lake, lambda _event: None)
    silver, quarantine = without_abandoned(
        read_layer(world.lake, PREFIX, "silver"),
        read_layer(world.lake, PREFIX, "quarantine"),
        silver_files(world.lake, PREFIX),
    )
    return Evidence(
        broker=[*world.past, *read_broker(world.cluster.bootstrap, world.log, TOPICS)],
        bronze=read_layer(world.lake, PREFIX, "bronze"),
        silver=silver,
        quarantine=quarantine,
        gold=read_gold(world.lake, PREFIX, ["fact_payments"]),
        expired=frozenset(world.expired),
        told_expired=told_expired,
    )


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
