"""A whole report of a closed lake, and pages read strictly."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

from lakehouse.balance import Amount, Balance, PositionBalance
from local.report import (
    EntityCounts,
    ExampleRow,
    Headlines,
    Month,
    QuarantineReason,
    ReportData,
    Segment,
    Sent,
    StateLogistics,
    Warned,
)

ORDERS = Balance(Amount(1000, 2**64 - 1), Amount(990, 5), Amount(10, 2**64 - 6))


CUSTOMERS = Balance(Amount(500, 77), Amount(500, 77))


def a_report(**changes: object) -> ReportData:
    """A whole report of a closed lake; `changes` replace fields."""
    example = ExampleRow(
        "id-1", "log-1/orders.v1/0/7", "devolvido", {"order_id": "o1", "order_status": "devolvido"}
    )
    report = ReportData(
        source="Generated shop, seed 7",
        broker="embedded broker",
        made_at=datetime(2026, 11, 21, 14, 5, tzinfo=UTC),
        seconds=38.2,
        entities=(
            EntityCounts("orders", ORDERS, distinct_events=980, sent=1000, current=960, deleted=4),
            EntityCounts("customers", CUSTOMERS, distinct_events=500, sent=500, current=500, deleted=0),
        ),
        positions=(
            PositionBalance("log-1", "orders.v1", 0, "orders", 0, 600, 600, 0),
            PositionBalance("log-1", "orders.v1", 1, "orders", 0, 400, 400, 0),
            PositionBalance("load-0123456789abcdef", "customers.v1", 0, "customers", 0, 500, 500, 0),
        ),
        sent=Sent(grpc=900, plain=100, acknowledged=1000, landed=1000, batch_records=500),
        quarantine=(
            QuarantineReason(
                "orders", "order_status_known", "order_status", "No such status.", 10, (example,)
            ),
        ),
        warned=(Warned("orders", "carrier_after_purchase", "The parcel went before it was bought.", 3),),
        headlines=Headlines(960, 1100, "13591643.70", "2251909.54", "16008872.12", 930, 4.09, 0.081),
        months=tuple(
            Month(f"{2016 + m // 12}-{m % 12 + 1:02d}", 10 + m, Decimal(100 + m), 9, m) for m in range(8, 30)
        ),
        states=(
            StateLogistics("SP", 400, 390, 0.05, 0.15, 8.8, 4.2),
            StateLogistics("AM", 40, 39, 0.04, None, 26.4, None),
            StateLogistics("unknown", 3, 0, None, None, None, None),
        ),
        segments=(
            Segment("champions", 9, Decimal(900), 0.01, 0.2, 100.0),
            Segment("lost", 900, Decimal(3600), 0.99, 0.8, 4.0),
        ),
    )
    return replace(report, **changes)  # type: ignore[arg-type]


class Reader(HTMLParser):
    """Reads a page strictly: every element that opens closes in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes += attrs

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(read(page).words))
