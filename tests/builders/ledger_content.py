"""A ledger's content as plain values, without what no lake can tell: for comparing two ledgers."""

from typing import Any

from adapters.ledger import Ledger, contents, reports
from adapters.ledger.contents import KnownObject
from lakehouse.catalog import load_entities
from lakehouse.paths import is_load


def content_of(ledger: Ledger) -> dict[str, Any]:
    """Objects with their revisions, landed offsets, voids, balance; ends of logs that are closed.

    Two ledgers of one lake agree in all of it, whichever saw the objects first.
    """
    closed = reports.closed_logs(ledger)
    return {
        "objects": objects_of(ledger),
        "landed": contents.landed_ranges(ledger)[0],
        "void": reports.voids(ledger),
        "balance": reports.balance(ledger),
        "positions": [p for p in reports.positions(ledger) if p.log in closed or is_load(p.log)],
        "closed": closed,
        "rules": reports.rows_by_rule(ledger),
        "silver": {entity: sorted(keys) for entity, keys in reports.committed_silver(ledger).items()},
        "quarantine": {entity: sorted(keys) for entity, keys in reports.committed_quarantine(ledger).items()},
    }


def objects_of(ledger: Ledger) -> dict[str, KnownObject]:
    """Every object of every entity by its key."""
    return {key: o for entity in load_entities() for key, o in contents.objects_of(ledger, entity).items()}
