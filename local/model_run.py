"""Builds Gold from what the ledger has committed, and publishes it into the lake."""

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from local.gold import Finding, PublishedGold
from local.lake import Lake
from local.model import alone_in, judge_silver, refresh_gold


def model(
    lake: Lake,
    ledger: Ledger,
    store: ObjectStore,
    now: datetime,
    progress: Callable[..., None],
    *,
    full: bool = False,
    waits: bool = True,
) -> PublishedGold:
    """Brings Gold to exactly the committed Silver objects; nothing is published unless every test passes.

    What Gold has read is kept with Gold itself and compared to all that is committed, whenever and under whatever
    number it was: a replay's revision of an old object is as new as any. While another process builds, `waits` for its
    end, or else raises GoldBusy.
    """
    work_dir = lake.root / "model"
    with alone_in(work_dir, waits=waits):
        files = _committed_files(lake, ledger)
        build = f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(2)}"
        return refresh_gold(files, work_dir, store, lake.buckets.gold, build, now, progress, full=full)


def silver_findings(lake: Lake, ledger: Ledger, progress: Callable[..., None]) -> tuple[Finding, ...]:
    """What all of committed Silver breaks of its contracts' rules of severity warn; SilverBroken for the others."""
    return judge_silver(_committed_files(lake, ledger), lake.root / "contracts", progress)


def _committed_files(lake: Lake, ledger: Ledger) -> dict[str, list[Path]]:
    keys = reports.committed_silver(ledger)
    return {
        entity: [lake.file(lake.buckets.silver, key) for key in listed] for entity, listed in keys.items()
    }
