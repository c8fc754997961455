"""Bronze objects with valid defaults."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from adapters.ledger import Opened, Outcome, Pins, SeenObject
from lakehouse.bronze import BronzeMetadata

NOON = datetime(2018, 3, 4, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
PINS = Pins("1.0.0", "a" * 16)


def a_bronze_object(first: int = 0, end: int = 10, **changes: Any) -> BronzeMetadata:
    """Metadata of an object of orders with the offsets `[first, end)`, right behind its predecessor."""
    plain = BronzeMetadata(
        entity="orders",
        log="emb-1",
        topic="orders.v1",
        partition=0,
        first_offset=first,
        end_offset=end,
        previous_end=first,
        rows=end - first,
        hash_sum=(2**64 - 1 - first) % 2**64,  # near the top: sums of two must wrap
        first_broker_time=NOON_MS,
    )
    return replace(plain, **changes)


def seen(metadata: BronzeMetadata | None = None, etag: str = "e1") -> SeenObject:
    """The object as S3 would show it."""
    return SeenObject(metadata or a_bronze_object(), etag, 1000)


def an_outcome(opened: Opened, quarantined: int = 0, **changes: Any) -> Outcome:
    """A balanced outcome: the last `quarantined` rows went to Quarantine, their hashes sum to 7 each."""
    metadata, held = opened.metadata, 7 * quarantined
    outcome = Outcome(
        silver_key=metadata.key.silver(1, opened.revision),
        silver_rows=metadata.rows - quarantined,
        silver_hash_sum=(metadata.hash_sum - held) % 2**64,
        quarantine_key=metadata.key.quarantine(1, opened.revision) if quarantined else None,
        quarantine_rows=quarantined,
        quarantine_hash_sum=held,
        reasons={"order_id_present": quarantined} if quarantined else {},
    )
    return replace(outcome, **changes)
