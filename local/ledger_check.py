"""Compares the lake's objects with the ledger's and names every difference; `local.ledger_remedies` says what to do."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from adapters.ledger import Ledger, contents, restore
from adapters.ledger.contents import KnownObject, KnownRevision, Place, Ranges
from lakehouse.balance import Amount
from lakehouse.footer import OutputFooter
from local.lake_account import LakeAccounts, LakeObject, Output, PartitionAccount


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
        first = len(found.differences)
        in_lake = {o.account.key: o for p in partitions for o in p.objects}
        _note_strangers(found, partitions)
        for key in sorted({*in_lake, *known}):
            _compare(found, key, in_lake.get(key), known.get(key), young_after)
            found.objects += 1
        found.differences[first:] = [d for d in found.differences[first:] if _stays(lake, d)]
        progress(found.objects)
    return found


def _stays(lake: LakeAccounts, difference: Difference) -> bool:
    """Whether what was missing still is: the ledger was read later, and knows what came to the lake meanwhile."""
    if difference.kind == "missing":
        return lake.store.head(lake.buckets.bronze, difference.what) is None
    if difference.kind == "output missing":
        layer, _, key = difference.what.partition("/")
        return lake.store.head(getattr(lake.buckets, layer), key) is None
    return True


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
    if ours is not None:
        metadata = ours.account.metadata
        place = (metadata.log, metadata.topic, metadata.partition)
        if ours.bronze is not None:
            found.in_bronze.setdefault(place, []).append((metadata.first_offset, metadata.end_offset))
        if metadata.void_reason:
            # the ledger takes a gap over with the object behind it; until then it is only explained
            noted = found.void if known is not None and known.committed else found.in_bronze
            noted.setdefault(place, []).append((metadata.previous_end, metadata.first_offset))


def _is_young(ours: LakeObject, young_after: datetime) -> bool:
    files = [*(output.stored for output in ours.outputs), *([ours.bronze] if ours.bronze else [])]
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
        yield Difference(
            "unbalanced", key, f"off by {known.difference.rows:,} rows, or in the hash sum alone"
        )


def _of_outputs(ours: LakeObject | None, known: KnownObject) -> Iterator[Difference]:
    """Committed revisions have exactly their files; those of an abandoned or open one may be there or not.

    So may the Quarantine of one that a later one has followed: the sweep removes it in time.
    """
    there: dict[tuple[str, str], Output] = {(o.layer, o.key): o for o in (ours.outputs if ours else ())}
    owed = {
        (layer, key): revision
        for revision in known.committed
        for layer, key in (("silver", revision.silver_key), ("quarantine", revision.quarantine_key))
        if key and (layer == "silver" or revision is known.committed[-1] or (layer, key) in there)
    }
    for (layer, key), revision in owed.items():
        output = there.get((layer, key))
        if output is None:
            yield Difference("output missing", f"{layer}/{key}")
        elif text := _differing(known, revision, output.footer):
            yield Difference("output differs", f"{layer}/{key}", text)
    yield from _extra(key for key in there if key not in owed and not _may_write(known, there[key].revision))


def _extra(keys: Iterable[tuple[str, str]]) -> Iterator[Difference]:
    for layer, key in sorted(keys):
        yield Difference("output extra", f"{layer}/{key}")


def _may_write(known: KnownObject, revision: int) -> bool:
    found = known.revisions.get(revision)
    return found is not None and found.state != "committed"


def _differing(known: KnownObject, revision: KnownRevision, footer: OutputFooter | str) -> str:
    """What a file says otherwise than its commit, in words; empty when nothing."""
    if isinstance(footer, str):
        return footer
    pairs = {
        "Bronze ETag": (footer.bronze_etag, known.etag),
        "revision": (footer.revision, revision.revision),
        "contract version": (footer.contract_version, revision.contract_version),
        "rules": (footer.rules_hash, revision.rules_hash),
        "rows in Silver": (footer.silver.rows, revision.silver.rows),
        "hash sum of Silver": (footer.silver.hash_sum, revision.silver.hash_sum),
        "rows in Quarantine": (footer.quarantine.rows, revision.quarantine.rows),
        "hash sum of Quarantine": (footer.quarantine.hash_sum, revision.quarantine.hash_sum),
        "rows by reason": (dict(footer.reasons), dict(revision.reasons)),
        "rows by warning": (dict(footer.warnings), dict(revision.warnings)),
    }
    told = [f"{name} {file}, committed {ledger}" for name, (file, ledger) in pairs.items() if file != ledger]
    return "; ".join(told)
