"""What must have become of every row when all is done: the shop's own account, written as `shop.json`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from lakehouse.catalog import load_entities
from local.shop.clock import microseconds
from local.shop.defects import FAR_FUTURE
from local.shop.plant import Defect
from local.shop.story import STREAMS, Row, Story
from local.shop.tables import Table

FORMAT = "keystone-nexus-shop/1"

Cells = Mapping[str, str]


def expect(seed: int, tables: Mapping[str, Table], story: Story, defects: Sequence[Defect]) -> dict[str, Any]:
    """The document of `shop.json`: the story for the feed, and where each row ends."""
    ahead = [d for d in defects if d.column == "occurred_at"]
    far = microseconds(datetime.fromisoformat(FAR_FUTURE))
    return {
        "format": FORMAT,
        "seed": seed,
        "orders": len(tables["orders"].rows),
        "entities": {entity: _counts(table, story, defects) for entity, table in tables.items()},
        "gold": _gold(tables, story, defects),
        "defects": [asdict(d) for d in defects],
        "late": [asdict(late) for late in story.late],
        "resends": [asdict(resend) for resend in story.resends],
        "corrections": [asdict(correction) for correction in story.corrections],
        "deletes": [asdict(delete) for delete in story.deletes],
        "clocks": [{"entity": d.entity, "record": d.record, "key": d.key, "occurred_at": far} for d in ahead],
    }


def _counts(table: Table, story: Story, defects: Sequence[Defect]) -> dict[str, Any]:
    """Rows of one entity: in the file, on the way, and in each layer once all is checked.

    `current` counts keys that are neither quarantined nor deleted (rows, for geolocation, which has no key). By rule,
    a row counts under each of its errors in Quarantine, or under each of its warnings in Silver.
    """
    entity = table.form.entity
    own = [d for d in defects if d.entity == entity]
    records = len(table.rows)
    deletes = _of(entity, story.deletes)
    again = _of(entity, story.resends) + _of(entity, story.corrections) + deletes
    quarantined = [d for d in own if d.fate == "quarantine"]
    warnings = {rule.id for rule in load_entities()[entity].rules if rule.severity == "warn"}
    errors = Counter(rule for d in quarantined for rule in d.rules if rule not in warnings)
    warned = Counter(rule for d in own if d.fate == "warn" for rule in d.rules)
    return {
        "records": records,
        "events": records + again if entity in STREAMS else 0,
        "bronze": records + again,
        "silver": records + again - len(quarantined),
        "quarantine": len(quarantined),
        "current": records - len(quarantined) - deletes,
        "quarantined_by_rule": dict(sorted(errors.items())),
        "warned_by_rule": dict(sorted(warned.items())),
    }


def _gold(tables: Mapping[str, Table], story: Story, defects: Sequence[Defect]) -> dict[str, Any]:
    """Totals of the current rows: newest versions, without deleted and quarantined ones."""
    rows = {entity: list(_current(table, story, defects)) for entity, table in tables.items()}
    return {
        "order_items": {
            "rows": len(rows["order_items"]),
            "price": _amount(rows["order_items"], "price"),
            "freight_value": _amount(rows["order_items"], "freight_value"),
        },
        "payments": {
            "rows": len(rows["payments"]),
            "payment_value": _amount(rows["payments"], "payment_value"),
        },
        "reviews": {
            "rows": len(rows["reviews"]),
            "review_score": sum(int(row["review_score"]) for row in rows["reviews"]),
        },
        "orders": {
            "rows": len(rows["orders"]),
            "order_status": dict(sorted(Counter(row["order_status"] for row in rows["orders"]).items())),
        },
        "customers": {
            "rows": len(rows["customers"]),
            "persons": len({row["customer_unique_id"] for row in rows["customers"]}),
        },
        **{
            entity: {"rows": len(rows[entity])}
            for entity in ("products", "sellers", "geolocation", "category_translation")
        },
    }


def _current(table: Table, story: Story, defects: Sequence[Defect]) -> Iterator[Cells]:
    entity = table.form.entity
    gone = {d.record for d in defects if d.entity == entity and d.fate == "quarantine"}
    gone |= {delete.record for delete in story.deletes if delete.entity == entity}
    changes = {c.record: c.changes for c in story.corrections if c.entity == entity}
    for record, row in enumerate(table.rows):
        if record not in gone:
            yield {**dict(zip(table.form.columns, row, strict=True)), **changes.get(record, {})}


def _amount(rows: Iterable[Cells], column: str) -> str:
    """Sum of reais with two decimals, exact."""
    centavos = sum(int(row[column].replace(".", "")) for row in rows)
    return f"{centavos // 100}.{centavos % 100:02d}"


def _of(entity: str, rows: Iterable[Row]) -> int:
    return sum(row.entity == entity for row in rows)
