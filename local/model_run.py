"""Builds Gold from what the ledger has committed, and publishes it into the lake."""

import secrets
from collections.abc import Callable
from datetime import datetime

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from lakehouse.errors import LakeError
from local.gold import PublishedGold
from local.lake import Lake
from local.model import refresh_gold


def model(
    lake: Lake, ledger: Ledger, store: ObjectStore, now: datetime, progress: Callable[..., None]
) -> PublishedGold:
    """One full build over exactly the committed Silver objects; nothing is published unless every test passes."""
    keys = reports.committed_silver(ledger)
    files = {
        entity: [lake.file(lake.buckets.silver, key) for key in listed] for entity, listed in keys.items()
    }
    missing = [file for listed in files.values() for file in listed if not file.exists()]
    if missing:
        raise LakeError(
            f"{missing[0]} is committed in the ledger but missing in the lake ({len(missing)} such files): "
            "restore the lake's folder from a copy before Gold is built"
        )
    build = f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(2)}"
    return refresh_gold(files, lake.root / "model", store, lake.buckets.gold, build, now, progress)
