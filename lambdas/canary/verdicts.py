"""What became of each event: its row in exactly one of Silver and Quarantine, read from the objects that hold it.

The ledger's counts would not tell: other events share the objects. So the rows themselves are asked.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adapters.ledger.reports import ObjectState
from adapters.objects import ObjectStore
from lakehouse.identity import Position
from lakehouse.paths import BronzeKey, Buckets
from lambdas.canary.events import CanaryEvent

_TOLD = 3  # problems in words; the rest is counted


@dataclass(frozen=True)
class Verdict:
    """A row of an event: `layer` is silver or quarantine, `rules` are what it broke or was warned of."""

    layer: str
    rules: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.layer} ({', '.join(self.rules)})" if self.rules else self.layer


def read_verdicts(
    store: ObjectStore, buckets: Buckets, objects: Iterable[ObjectState], positions: Mapping[str, Position]
) -> dict[str, list[Verdict]]:
    """Verdicts by event id. An event counts only at the position that was acknowledged: elsewhere it was resent."""
    wanted: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    for event_id, at in positions.items():
        wanted[at.log, at.partition][at.offset] = event_id
    found: dict[str, list[Verdict]] = defaultdict(list)
    for held in objects:
        key = BronzeKey.parse(held.bronze_key)
        ids = wanted[key.log, key.partition]
        for layer, bucket, keys in (
            ("silver", buckets.silver, held.silver_keys),
            ("quarantine", buckets.quarantine, [held.quarantine_key] if held.quarantine_key else []),
        ):
            for output in keys:
                for row in _rows(store.get(bucket, output), ids, layer):
                    if ids[row["pos_offset"]] == row["event_id"]:
                        found[row["event_id"]].append(Verdict(layer, _rules(row)))
    return found


def judge(events: Sequence[CanaryEvent], verdicts: Mapping[str, Sequence[Verdict]]) -> tuple[bool, str]:
    """Whether every event is where it belongs, for the reason it should be, and that in words."""
    wrong = []
    for event in events:
        rules = (event.breaks,) if event.breaks else ()
        expected = Verdict("quarantine" if event.breaks else "silver", rules)
        got = list(verdicts.get(event.event_id, ()))
        if got != [expected]:
            where = " and ".join(map(str, got)) or "neither Silver nor Quarantine"
            wrong.append(f"{event.event_id} is in {where}, not {expected}")
    if wrong:
        more = f", and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        return False, f"{'; '.join(wrong[:_TOLD])}{more}"
    layers = Counter(one.layer for found in verdicts.values() for one in found)
    return (
        True,
        f"{layers['silver']} in Silver, {layers['quarantine']} in Quarantine, each for its own reason",
    )


def _rows(data: bytes, ids: Mapping[int, str], layer: str) -> list[dict[str, Any]]:
    columns = ["event_id", "pos_offset", "warnings" if layer == "silver" else "reasons"]
    table = pq.read_table(io.BytesIO(data), columns=columns, use_threads=False)
    chosen = pc.is_in(table["pos_offset"], value_set=pa.array(sorted(ids), pa.int64()))
    rows: list[dict[str, Any]] = table.filter(chosen).to_pylist()
    return rows


def _rules(row: Mapping[str, Any]) -> tuple[str, ...]:
    reasons = [reason["rule"] for reason in row.get("reasons") or ()]
    return tuple(sorted([*reasons, *(row.get("warnings") or ())]))
