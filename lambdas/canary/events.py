"""The hundred events of a run: orders of a source that no model counts, three of them bad, each in its own way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

ENTITY = "orders"
SOURCE = "canary"  # dbt's newest_versions leaves it out of everything
EVENTS = 100
_CUSTOMER = "c0ffee".ljust(32, "0")
_TIMESTAMP = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class CanaryEvent:
    """`breaks` is the one rule that must send it to Quarantine; None: it belongs into Silver, without a warning."""

    event_id: str
    columns: Mapping[str, str]
    breaks: str | None


def events_of(run: str, at: datetime) -> list[CanaryEvent]:
    """A run's events. The orders are the same ones in every run, their keys spread over all partitions."""
    bought = at - timedelta(hours=1)
    bad: Mapping[str, Mapping[str, str]] = {
        "order_status_known": {"order_status": "tweeting"},
        "customer_id_is_id": {"customer_id": "nobody"},
        "delivered_after_purchase": {
            "order_delivered_customer_date": (bought - timedelta(days=1)).strftime(_TIMESTAMP)
        },
    }
    rules: list[str | None] = [*bad, *[None] * (EVENTS - len(bad))]
    return [
        CanaryEvent(
            event_id=f"{SOURCE}-{run}-{number:03d}",
            columns={
                "order_id": f"{_CUSTOMER[:24]}{number:08x}",
                "customer_id": _CUSTOMER,
                "order_status": "created",
                "order_purchase_timestamp": bought.strftime(_TIMESTAMP),
                "order_estimated_delivery_date": (bought + timedelta(days=7)).strftime(_TIMESTAMP),
                **(bad[rule] if rule else {}),
            },
            breaks=rule,
        )
        for number, rule in enumerate(rules)
    ]
