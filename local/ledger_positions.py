"""Compares offsets: what the broker holds, what the ledger calls landed or void, and what lies in Bronze."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from adapters.ledger import Ledger, contents, reports
from adapters.ledger.contents import Place, Ranges
from lakehouse.balance import PositionBalance
from lakehouse.closed_log import ClosedLog
from lakehouse.paths import is_load
from local.closing import without
from local.lake_account import LakeAccounts
from local.ledger_check import Compared, Difference

Span = tuple[int, int]


@dataclass(frozen=True)
class Broker:
    """What a running broker holds of its log: (topic, partition) → `[start, end)`."""

    log: str
    held: Mapping[tuple[str, int], Span]


def compare_positions(
    lake: LakeAccounts, ledger: Ledger, found: Compared, broker: Broker | None
) -> list[Difference]:
    """After `compare_objects`, whose findings say which offsets are in Bronze."""
    notes = list(lake.closed_logs())
    closed = reports.closed_logs(ledger)
    positions = {(p.log, p.topic, p.partition): p for p in reports.positions(ledger)}
    differences = list(_landed(*contents.landed_ranges(ledger)))
    differences += _notes(notes, closed, positions)
    differences += _voids(ledger, notes, found)
    for place, position in positions.items():
        differences += _unlanded(position, found.in_bronze.get(place, []), broker)
    differences += _broker(positions, found.in_bronze, broker)
    open_logs = {p.log for p in positions.values() if not is_load(p.log) and p.log not in closed}
    gone = [
        log for log in sorted(open_logs) if log.startswith("emb-") and (broker is None or log != broker.log)
    ]
    differences += [Difference("not closed", log) for log in gone]
    differences += compare_loads(lake, ledger)
    return differences


def _landed(landed: Mapping[Place, Ranges], committed: Mapping[Place, Ranges]) -> Iterator[Difference]:
    for place in sorted({*landed, *committed}):
        objects = committed.get(place, [])
        for (_, end), (after, _) in pairwise(objects):
            if after < end:
                yield Difference("positions", _name(place, (after, end)), "in two committed objects")
        ledger = landed.get(place, [])
        for span in _minus(objects, ledger):
            yield Difference("positions", _name(place, span), "in a committed object, not landed")
        for span in _minus(ledger, objects):
            yield Difference("positions", _name(place, span), "landed, in no committed object")


def _notes(
    notes: Iterable[ClosedLog], closed: set[str], positions: Mapping[Place, PositionBalance]
) -> Iterator[Difference]:
    """A closed log whose ledger is older than its note."""
    for note in notes:
        places = {*note.ends, *((v.topic, v.partition) for v in note.lost)}
        if note.log not in closed and places:
            yield Difference("note", note.log, "closed in the lake, open in the ledger")
        for (topic, partition), end in sorted(note.ends.items()):
            known = positions.get((note.log, topic, partition))
            if known is None or known.end < end:
                yield Difference("note", f"{note.log}/{topic}/{partition}", f"ended at offset {end:,}")


def _voids(ledger: Ledger, notes: Iterable[ClosedLog], found: Compared) -> Iterator[Difference]:
    """Void in one and not in the other; what an object holds is not void, whatever was said before it landed."""
    ours = {place: list(spans) for place, spans in found.void.items()}
    for note in notes:
        for void in note.lost:
            ours.setdefault((note.log, void.topic, void.partition), []).append((void.first, void.end))
    theirs: dict[Place, Ranges] = {}
    for void in reports.voids(ledger):
        theirs.setdefault((void.log, void.topic, void.partition), []).append((void.first, void.end))
    for place in sorted({*ours, *theirs}):
        landed = found.in_bronze.get(place, [])
        for span in _minus(_minus(ours.get(place, []), theirs.get(place, [])), landed):
            yield Difference("note", _name(place, span), "void in the lake, not in the ledger")
        for span in _minus(theirs.get(place, []), ours.get(place, [])):
            yield Difference("void", _name(place, span))


def _unlanded(position: PositionBalance, in_bronze: Ranges, broker: Broker | None) -> Iterator[Difference]:
    """Offsets nobody accounts for: below what is in Bronze they are a hole, above it the broker still has them."""
    place = (position.log, position.topic, position.partition)
    newest = max((end for _, end in in_bronze), default=0)
    for span in _minus(position.open_ranges, in_bronze):
        if span[0] < newest:
            yield Difference("hole", _name(place, span))
        elif broker is None or broker.log != position.log:
            yield Difference("unlanded", _name(place, span), "as last seen by the ledger")


def _broker(
    positions: Mapping[Place, PositionBalance], in_bronze: Mapping[Place, Ranges], broker: Broker | None
) -> Iterator[Difference]:
    for (topic, partition), (start, end) in sorted(broker.held.items() if broker else ()):
        assert broker is not None
        place = (broker.log, topic, partition)
        safe = max(_settled_end(positions.get(place)), *(e for _, e in in_bronze.get(place, [])), 0)
        if end < safe:
            yield Difference("another history", _name(place, (end, safe)), f"it ends at offset {end:,}")
        if start > safe:
            yield Difference("expired", _name(place, (safe, start)))
        if end > max(safe, start):
            yield Difference("unlanded", _name(place, (max(safe, start), end)))


def _settled_end(known: PositionBalance | None) -> int:
    """Behind the last offset that is landed or void."""
    if known is None:
        return 0
    return min([known.end, *(first for first, end in known.open_ranges if end == known.end)])


def compare_loads(lake: LakeAccounts, ledger: Ledger) -> Iterator[Difference]:
    """Batch files whose records are not all committed."""
    landed = {(p.log, p.topic): p.landed for p in reports.positions(ledger)}
    for key, records in lake.load_records():
        found = landed.get((key.log, lake.entities[key.entity].topic), 0)
        if found != records:
            yield Difference("load", str(key), f"{found:,} of {records:,} records are committed")


def _minus(spans: Iterable[Span], taken: Iterable[Span]) -> Ranges:
    kept = list(taken)
    return [left for first, end in sorted(spans) for left in without(first, end, kept)]


def _name(place: Place, span: Span) -> str:
    log, topic, partition = place
    return f"{log}/{topic}/{partition} offsets {span[0]:,} to {span[1] - 1:,}"
