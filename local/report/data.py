"""What the report page shows. Whoever fills it asks ledger, lake and Gold; the page itself asks nobody.

Everything may be missing that a run has not reached yet: the page then says so instead of showing zeros.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from lakehouse.balance import Balance, PositionBalance, VoidRange


@dataclass(frozen=True)
class Sent:
    """What the last run handed over: events by the way they took, and records of batch files.

    `acknowledged` counts events that the broker has acknowledged, `landed` those that reached Bronze since.
    `batch_records` counts the records that this run landed from files: 0 for files the lake held already.
    """

    grpc: int
    plain: int
    acknowledged: int
    landed: int
    batch_records: int

    @property
    def events(self) -> int:
        """Events handed over, by both ways."""
        return self.grpc + self.plain


@dataclass(frozen=True)
class EntityCounts:
    """One entity in the whole lake.

    `distinct_events` counts different event ids in Bronze; the rest of its rows are resends. `current` counts what
    Gold stands on: newest versions that are not deleted (for geolocation: rows of the newest load); `deleted` keys
    whose newest version is a delete. Both are None before Gold was built. `sent` is the last run's part in it.
    """

    entity: str
    balance: Balance
    distinct_events: int
    sent: int | None = None
    current: int | None = None
    deleted: int | None = None


@dataclass(frozen=True)
class ExampleRow:
    """A quarantined row: its cells as they came (None: absent), or raw bytes as text when it could not be read."""

    event_id: str
    position: str
    value: str | None
    cells: Mapping[str, str | None]
    raw: str | None = None


@dataclass(frozen=True)
class QuarantineReason:
    """A rule and the rows it holds back. `text` says in words what is wrong; a row can have several reasons."""

    entity: str
    rule: str
    column: str
    text: str
    rows: int
    examples: tuple[ExampleRow, ...] = ()


@dataclass(frozen=True)
class Warned:
    """A rule that lets rows pass, marked."""

    entity: str
    rule: str
    text: str
    rows: int


@dataclass(frozen=True)
class Refused:
    """A row of a file that never became an event: no typed event can hold it."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class Headlines:
    """Figures of the published Gold; money in reais, `late_share` as a fraction. Money and shares as exact text."""

    orders: int
    items: int
    price: str
    freight: str
    payments: str
    persons: int
    review_score: float | None = None
    late_share: float | None = None


class _Row:
    """A row of an insight: takes its fields by name from a row of the table."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a mapping that holds at least the fields, such as a row of the mart as a dict."""
        names = (field.name for field in fields(cls))  # type: ignore[arg-type]
        return cls(**{name: row[name] for name in names})


@dataclass(frozen=True)
class Month(_Row):
    """A row of `insight_monthly_growth`, such as 2017-11; in the order of time."""

    event_month: str
    orders: int
    revenue: Decimal | float
    new_customers: int
    returning_customers: int


@dataclass(frozen=True)
class StateLogistics(_Row):
    """A row of `insight_regional_logistics`."""

    customer_state: str
    orders: int
    delivered_orders: int
    late_share: float | None
    freight_share: float | None
    average_delivery_days: float | None
    average_review_score: float | None


@dataclass(frozen=True)
class Segment(_Row):
    """A row of `insight_customer_segmentation`."""

    segment: str
    customers: int
    revenue: Decimal | float
    customer_share: float | None
    revenue_share: float | None
    average_revenue: float | None


@dataclass(frozen=True)
class ReportData:
    """Everything on the page. `made_at` is UTC; `source` says in words what was read, `broker` what took the events."""

    source: str
    broker: str
    made_at: datetime
    entities: tuple[EntityCounts, ...]
    positions: tuple[PositionBalance, ...]
    seconds: float | None = None
    sent: Sent | None = None
    voids: tuple[VoidRange, ...] = ()
    quarantine: tuple[QuarantineReason, ...] = ()
    warned: tuple[Warned, ...] = ()
    refused: tuple[Refused, ...] = ()
    headlines: Headlines | None = None
    months: tuple[Month, ...] = ()
    states: tuple[StateLogistics, ...] = ()
    segments: tuple[Segment, ...] = ()

    @property
    def total(self) -> Balance:
        """The balance of all entities together."""
        return sum((entity.balance for entity in self.entities), Balance())

    @property
    def unlanded(self) -> int:
        """Offsets that the broker gave out and that have not landed."""
        return sum(position.unlanded for position in self.positions)

    @property
    def closed(self) -> bool:
        """Every row and every offset is accounted for; each entity for itself, so that errors cannot cancel."""
        return all(entity.balance.closed for entity in self.entities) and not any(
            position.unlanded for position in self.positions
        )
