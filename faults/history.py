"""One history: a shop that sends, faults that strike, the dust that settles, the auditor's verdict."""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from faults.auditor import Finding, audit
from faults.evidence import Evidence, read_broker, read_gold, read_layer
from faults.kinds import KINDS, Kind
from faults.world import PREFIX, NotSettled, World
from lakehouse.paths import Buckets
from local import runtime
from local.lake import Lake
from local.model_run import model

TOPICS = ("orders.v1", "payments.v1")
# Seconds between two faults: shorter ones strike while the last is still being healed.
_BETWEEN_S = (0.2, 2.5)
# A workload's seed must not be the history's own: shrinking changes the faults, and keeps the events.
_WORK = 0x5EED


@dataclass(frozen=True)
class Plan:
    """What is drawn from a seed. `strikes`: places in KINDS, in order; each with a seed of its own."""

    seed: int
    strikes: tuple[tuple[int, int], ...]

    @classmethod
    def draw(cls, seed: int, faults: int, first: Sequence[int] = ()) -> "Plan":
        """`faults` strikes; those of `first` come for sure, the others by weight."""
        dice = random.Random(seed)
        places = list(first)[:faults]
        weights = [kind.weight for kind in KINDS]
        places += dice.choices(range(len(KINDS)), weights, k=faults - len(places))
        dice.shuffle(places)
        return cls(seed, tuple((place, dice.getrandbits(32)) for place in places))

    def without(self, number: int) -> "Plan":
        """The same without its strike of this number."""
        return Plan(self.seed, self.strikes[:number] + self.strikes[number + 1 :])


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
    with World(folder, plan.seed ^ _WORK) as world:
        shop = world.open_shop()
        try:
            for place, seed in plan.strikes:
                dice = random.Random(seed)
                time.sleep(dice.uniform(*_BETWEEN_S))
                kind = KINDS[place]
                tell(f"{time.monotonic() - began:5.1f} s  {kind.name}")
                kind.inject(world, dice)
                struck.append(kind)
            world.settle()
            findings = tuple(audit(_collect(world), shop.acknowledged, shop.sent))
        except NotSettled as error:
            findings = (Finding("not settled", str(error)),)
        counts = (len(shop.sent), len(shop.acknowledged), len(shop.refused))
    if findings:
        tell(f"kept to look at: {folder}")
    else:
        _remove(folder)
    return Verdict(plan, tuple(struck), *counts, time.monotonic() - began, findings)


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
    runtime.stop(world.lake, lambda _event: None)
    return Evidence(
        broker=read_broker(world.cluster.bootstrap, world.log, TOPICS),
        bronze=read_layer(world.lake, PREFIX, "bronze"),
        silver=read_layer(world.lake, PREFIX, "silver"),
        quarantine=read_layer(world.lake, PREFIX, "quarantine"),
        gold=read_gold(world.lake, PREFIX, ["fact_payments"]),
    )


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
