"""Compares lake, ledger and broker, and names every difference. Changes nothing; `local.ledger_remedies` says what to do."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.ledger import Ledger, contents, restore
from adapters.ledger.contents import KnownObject, KnownRevision
from lakehouse.balance import Amount
from local.lake_account import LakeAccounts, LakeObject, PartitionAccount

Place = tuple[str, str, int]
Ranges = list[tuple[int, int]]


@dataclass(frozen=True)
class Difference:
    """`kind` is a key of `ledger_remedies.KINDS`; `what` a key or position, `text` what is found there, or empty."""

    kind: str
    what: str
    text: str = ""


@dataclass
class Compared:
    """What the comparison of objects leaves for that of positions, and for a person."""

    differences: list[Difference] = field(default_factory=list)
    objects: int = 0
    young: int = 0
    committed: dict[Place, Ranges] = field(default_factory=dict)  # as the ledger's objects say
    in_bronze: dict[Place, Ranges] = field(default_factory=dict)  # as the lake's objects say
    void: dict[Place, Ranges] = field(default_factory=dict)  # named by the lake's objects


def compare_objects(
    lake: LakeAccounts,
    ledger: Ledger,
    young_after: datetime,
    progress: Callable[[int], None] = lambda _done: None,
) -> Compared:
    """Every Bronze object with its outputs. Of each entity the lake is read first, then the ledger.

    Args:
        young_after: what was written later is left out: its announcement may be under way.
    """
    found = Compared()
    if restore.unfinished_rebuild(ledger):
        found.differences.append(Difference("rebuild", "ledger"))
    for entity in lake.entities:
        partitions = list(lake.partitions(entity, frozenset()))
        known = contents.objects_of(ledger, entity)
        in_lake = {o.account.key: o for p in partitions for o in p.objects}
        _note_strangers(found, partitions)
        for key in sorted({*in_lake, *known}):
            _compare(found, key, in_lake.get(key), known.get(key), young_after)
            found.objects += 1
        progress(found.objects)
    return found


def _note_strangers(found: Compared, partitions: list[PartitionAccount]) -> None:
    for partition in partitions:
        found.differences += [Difference("stranger", key, why) for key, why in partition.strangers.items()]


def _compare(
    found: Compared, key: str, ours: LakeObject | None, known: KnownObject | None, young_after: datetime
) -> None:
    _note_ranges(found, ours, known)
    if ours is not None and _is_young(ours, young_after):
        found.young += 1
        return
    if known is None:
        assert ours is not None
        found.differences.append(Difference("unannounced", key, f"{ours.account.metadata.rows:,} rows"))
        return
    found.differences += _of_bronze(key, ours, known)
    found.differences += _of_state(key, known)
    found.differences += _of_outputs(ours, known)


def _note_ranges(found: Compared, ours: LakeObject | None, known: KnownObject | None) -> None:
    if known is not None and known.committed:
        metadata = known.metadata
        place = (metadata.log, metadata.topic, metadata.partition)
        found.committed.setdefault(place, []).append((metadata.first_offset, metadata.end_offset))
    if ours is not None:
        metadata = ours.account.metadata
        place = (metadata.log, metadata.topic, metadata.partition)
        if ours.bronze is not None:
            found.in_bronze.setdefault(place, []).append((metadata.first_offset, metadata.end_offset))
        if metadata.void_reason:
            found.void.setdefault(place, []).append((metadata.previous_end, metadata.first_offset))


def _is_young(ours: LakeObject, young_after: datetime) -> bool:
    files = [*ours.outputs.values(), *([ours.bronze] if ours.bronze else [])]
    return any(file.modified is not None and file.modified > young_after for file in files)


def _of_bronze(key: str, ours: LakeObject | None, known: KnownObject) -> Iterator[Difference]:
    if ours is None or ours.bronze is None:
        if known.state != "gone":
            yield Difference("missing", key, f"{known.metadata.rows:,} rows, {known.state}")
        return
    if (ours.bronze.etag, ours.bronze.size) != (known.etag, known.size):
        text = f"ETag {ours.bronze.etag} of {ours.bronze.size:,} bytes; checked was {known.etag} of {known.size:,}"
        yield Difference("replaced", key, text)
    elif ours.account.metadata != known.metadata:
        names = known.metadata.__dataclass_fields__
        changed = [
            f"{n} {getattr(ours.account.metadata, n)} in the lake, {getattr(known.metadata, n)} in the ledger"
            for n in names
            if getattr(ours.account.metadata, n) != getattr(known.metadata, n)
        ]
        yield Difference("replaced", key, "; ".join(changed))


def _of_state(key: str, known: KnownObject) -> Iterator[Difference]:
    if known.state in ("overlap", "gone"):
        yield Difference(known.state, key, known.problem)
    elif known.state == "open":
        yield Difference("unchecked", key, f"{known.metadata.rows:,} rows, revision {known.revision}")
    if known.difference != Amount():
        yield Difference("unbalanced", key, f"off by {known.difference.rows:,} rows, or in the hash sum alone")


def _of_outputs(ours: LakeObject | None, known: KnownObject) -> Iterator[Difference]:
    there = {} if ours is None else dict(ours.outputs)
    held_by = "quarantine"
    for revision in known.committed:
        for layer, key in (("silver", revision.silver_key), (held_by, revision.quarantine_key)):
            if key and not any(k == key and bucket.endswith(layer) for bucket, k in there):
                yield Difference("output missing", f"{layer}/{key}")
    for bucket, key in sorted(there):
        layer = "silver" if bucket.endswith("silver") else held_by
        assert ours is not None
        number = ours.revision_of[bucket, key]
        revision_known = known.revisions.get(number)
        if revision_known is None or (
            revision_known.state == "committed"
            and key not in (revision_known.silver_key, revision_known.quarantine_key)
        ):
            yield Difference("output extra", f"{layer}/{key}")


def differing(known: KnownRevision, footer: object) -> str:
    """placeholder"""
    return ""


def minimum_age(now: datetime, age: timedelta) -> datetime:
    """placeholder"""
    return now - age


_unused: Mapping[str, str] = {}
