"""The ledger's whole content, object by object: for comparing it with the lake, or with another ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.ledger.client import Ledger
from lakehouse.balance import Amount
from lakehouse.bronze import BronzeMetadata

_METADATA = tuple(BronzeMetadata.__dataclass_fields__)
_OBJECTS = f"""
    select id, etag, size, state, revision, coalesce(problem, ''), erased_rows, erased_hash_sum,
           {", ".join(_METADATA)}
    from object where entity = :of
"""
_REVISIONS = """
    select r.object_id, r.revision, r.state, r.contract_version, r.rules_hash, r.silver_key, r.silver_rows,
           r.silver_hash_sum, r.quarantine_key, r.quarantine_rows, r.quarantine_hash_sum, r.reasons, r.warnings
    from revision r join object o on o.id = r.object_id where o.entity = :of
"""


@dataclass(frozen=True)
class KnownRevision:
    """A revision; keys, amounts and counts by rule are those of its commit, empty without one."""

    revision: int
    state: str
    contract_version: str
    rules_hash: str
    silver_key: str
    silver: Amount
    quarantine_key: str
    quarantine: Amount
    reasons: Mapping[str, int]
    warnings: Mapping[str, int]


@dataclass(frozen=True)
class KnownObject:
    """A Bronze object with its revisions by number; `revision` is the one open, or the newest committed."""

    metadata: BronzeMetadata
    etag: str
    size: int
    state: str
    revision: int
    problem: str
    erased: Amount
    revisions: Mapping[int, KnownRevision] = field(default_factory=dict)

    @property
    def committed(self) -> list[KnownRevision]:
        """Its committed revisions, ascending."""
        return [r for _, r in sorted(self.revisions.items()) if r.state == "committed"]

    @property
    def difference(self) -> Amount:
        """Bronze less what its committed revisions and erasures account for; nothing while none is committed."""
        if not self.committed:
            return Amount()
        silver = sum((r.silver for r in self.committed), Amount())
        whole = Amount(self.metadata.rows, self.metadata.hash_sum)
        return whole - silver - self.committed[-1].quarantine - self.erased


def objects_of(ledger: Ledger, entity: str) -> dict[str, KnownObject]:
    """Every object of an entity by its Bronze key, as of one moment."""
    objects, revisions = ledger.read(
        lambda db: (db.run(_OBJECTS, of=entity) or [], db.run(_REVISIONS, of=entity) or [])
    )
    known: dict[int, dict[int, KnownRevision]] = {}
    for object_id, *row in revisions:
        revision = _revision(row)
        known.setdefault(object_id, {})[revision.revision] = revision
    found = [_object(row, known.get(row[0], {})) for row in objects]
    return {str(o.metadata.key): o for o in found}


Place = tuple[str, str, int]
Ranges = list[tuple[int, int]]


def landed_ranges(ledger: Ledger) -> tuple[dict[Place, Ranges], dict[Place, Ranges]]:
    """What partitions call landed, and what their committed objects hold, as of one moment; half open, ascending."""
    sql = """select true, log, topic, partition, lower(r), upper(r) from partition_state, lateral unnest(landed) r
             union all
             select false, log, topic, partition, first_offset, end_offset from object o
             where exists (select 1 from revision r where r.object_id = o.id and r.state = 'committed')
             order by 5, 6"""
    landed: dict[Place, Ranges] = {}
    objects: dict[Place, Ranges] = {}
    for of_partition, log, topic, partition, first, end in ledger.read(lambda db: db.run(sql) or []):
        (landed if of_partition else objects).setdefault((log, topic, partition), []).append((first, end))
    return landed, objects


def _revision(row: list[Any]) -> KnownRevision:
    number, state, version, rules, silver, silver_rows, silver_sum, held, held_rows, held_sum, *counts = row
    return KnownRevision(
        number,
        state,
        version,
        rules,
        silver or "",
        Amount(silver_rows, int(silver_sum)),
        held or "",
        Amount(held_rows, int(held_sum)),
        *counts,
    )


def _object(row: list[Any], revisions: Mapping[int, KnownRevision]) -> KnownObject:
    _, etag, size, state, revision, problem, erased_rows, erased_sum, *metadata = row
    values = dict(zip(_METADATA, metadata, strict=True))
    values["hash_sum"] = int(values["hash_sum"])
    return KnownObject(
        BronzeMetadata(**values),
        etag,
        size,
        state,
        revision,
        problem,
        Amount(erased_rows, int(erased_sum)),
        revisions,
    )
