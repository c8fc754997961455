"""Fills the report page from ledger, lake and published Gold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import duckdb

from adapters.ledger import Ledger, reports
from lakehouse.balance import Balance
from lakehouse.catalog import Entity, load_entities
from local import gold
from local.lake import OBJECT_ROWS, Lake
from local.quarantine import HeldRow, count_reasons, held_rows
from local.report.data import (
    EntityCounts,
    ExampleRow,
    Headlines,
    Month,
    QuarantineReason,
    Refused,
    ReportData,
    Segment,
    Sent,
    StateLogistics,
    Warned,
)

_EXAMPLES = 3  # rows shown per reason: enough to see the pattern


@dataclass(frozen=True)
class LastFeed:
    """What the newest demo handed over, kept in `last_feed.json` so that the page can be made again."""

    source: str
    broker: str
    sent: Sent
    sent_by_entity: Mapping[str, int]
    refused: Sequence[Refused] = ()
    seconds: float | None = None

    def write(self, lake: Lake) -> None:
        """Over whatever stands there."""
        lake.last_feed.write_text(json.dumps(asdict(self), indent=1), "utf-8")

    @classmethod
    def read(cls, lake: Lake) -> "LastFeed | None":
        """None when no demo has run on this lake."""
        if not lake.last_feed.exists():
            return None
        document = json.loads(lake.last_feed.read_text("utf-8"))
        sent = Sent(**document.pop("sent"))
        refused = tuple(Refused(**r) for r in document.pop("refused"))
        return cls(sent=sent, refused=refused, **document)


def gather_report(lake: Lake, ledger: Ledger, made_at: datetime) -> ReportData:
    """Everything that is known now. Parts that a lake has not reached yet stay empty."""
    feed = LastFeed.read(lake)
    entities = load_entities()
    balances = reports.balance(ledger)
    sent_by_entity = feed.sent_by_entity if feed else {}
    return ReportData(
        source=feed.source if feed else "events and files sent to this lake",
        broker=feed.broker if feed else "Kafka",
        made_at=made_at,
        seconds=feed.seconds if feed else None,
        entities=tuple(_entity_counts(lake, ledger, entities, balances, sent_by_entity)),
        positions=tuple(reports.positions(ledger)),
        sent=feed.sent if feed else None,
        voids=tuple(reports.voids(ledger)),
        quarantine=tuple(_quarantine(lake, ledger)),
        warned=tuple(_warned(ledger, entities)),
        refused=tuple(feed.refused) if feed else (),
        **_from_gold(lake),
    )


def _entity_counts(
    lake: Lake,
    ledger: Ledger,
    entities: Mapping[str, Entity],
    balances: Mapping[str, Balance],
    sent: Mapping[str, int],
) -> list[EntityCounts]:
    shown = gold.silver_keys(lake.root, lake.buckets.gold)
    silver = reports.committed_silver(ledger)
    counts = []
    with duckdb.connect() as db:
        for name, balance in balances.items():
            bronze = [gold.file_pattern(str(file)) for file in lake.bronze(name)]
            [(distinct,)] = db.execute(
                f"select count(distinct event_id) from {OBJECT_ROWS}",
                [bronze],
            ).fetchall()
            files = [
                gold.file_pattern(str(lake.file(lake.buckets.silver, k)))
                for k in silver.get(name, [])
                if k in shown
            ]
            current, deleted = _current(db, entities[name], files) if shown else (None, None)
            counts.append(EntityCounts(name, balance, distinct, sent.get(name), current, deleted))
    return counts


def _current(db: duckdb.DuckDBPyConnection, entity: Entity, files: list[str]) -> tuple[int, int]:
    """Newest versions that are not deleted, and those that are."""
    if not files:
        return 0, 0
    if not entity.key:
        [(rows,)] = db.execute(
            f"""select count(*) from (
                 select rank() over (partition by source order by broker_time desc, pos_log desc) newest
                 from {OBJECT_ROWS}) where newest = 1""",
            [files],
        ).fetchall()
        return rows, 0
    sql = f"""
        select count(*) filter (where op <> 'delete'), count(*) filter (where op = 'delete') from (
            select coalesce(op, 'upsert') op, row_number() over (
                partition by {", ".join(entity.key)}
                order by occurred_at desc nulls last, broker_time desc, pos_log desc, pos_partition desc,
                  pos_offset desc) n
            from {OBJECT_ROWS}) where n = 1"""
    [(current, deleted)] = db.execute(sql, [files]).fetchall()
    return current, deleted


def _quarantine(lake: Lake, ledger: Ledger) -> list[QuarantineReason]:
    found = []
    for count in count_reasons(lake, ledger):
        rows = held_rows(lake, ledger, count.entity, count.rule, _EXAMPLES)
        column = next((r.column for row in rows for r in row.reasons if r.rule == count.rule), "")
        examples = tuple(_example(row, count.rule) for row in rows)
        found.append(QuarantineReason(count.entity, count.rule, column, count.message, count.rows, examples))
    return found


def _example(row: HeldRow, rule: str) -> ExampleRow:
    cells = {name: None if value is None else str(value) for name, value in row.columns.items()}
    value = next((reason.value for reason in row.reasons if reason.rule == rule), None)
    raw = None if row.raw is None else row.raw.decode("utf-8", "backslashreplace")
    return ExampleRow(row.event_id, row.position, value, cells, raw)


def _warned(ledger: Ledger, entities: Mapping[str, Entity]) -> list[Warned]:
    texts = {
        (e.name, rule.id): rule.text
        for e in entities.values()
        for version in e.versions
        for rule in version.rules
    }
    return [
        Warned(entity, rule, texts.get((entity, rule), rule), rows)
        for entity, severity, rule, rows in reports.rows_by_rule(ledger)
        if severity == "warn"
    ]


def _from_gold(lake: Lake) -> dict[str, Any]:
    if gold.read_published(lake.root, lake.buckets.gold) is None:
        return {}
    with gold.open_gold(lake.root, lake.buckets.gold) as db:
        return {
            "headlines": _headlines(db),
            "months": tuple(map(Month.of, _rows(db, "insight_monthly_growth", "event_month"))),
            "states": tuple(map(StateLogistics.of, _rows(db, "insight_regional_logistics", "orders desc"))),
            "segments": tuple(map(Segment.of, _rows(db, "insight_customer_segmentation", "revenue desc"))),
        }


def _headlines(db: duckdb.DuckDBPyConnection) -> Headlines:
    [sales] = db.execute(
        """select count(distinct order_id), count(*), coalesce(sum(price), 0), coalesce(sum(freight_value), 0)
           from fact_sales"""
    ).fetchall()
    [(payments,)] = db.execute("select coalesce(sum(payment_value), 0) from fact_payments").fetchall()
    [(persons,)] = db.execute("select count(*) from dim_customer where customer_key <> 'unknown'").fetchall()
    [(score,)] = db.execute("select avg(review_score) from fact_reviews").fetchall()
    [(late,)] = db.execute(
        "select avg(cast(is_late as integer)) from (select distinct order_id, is_late from fact_sales)"
    ).fetchall()
    orders, items, price, freight = sales
    return Headlines(orders, items, str(price), str(freight), str(payments), persons, score, late)


def _rows(db: duckdb.DuckDBPyConnection, table: str, order: str) -> list[dict[str, Any]]:
    cursor = db.execute(f"select * from {table} order by {order}")
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
