"""Events of a shop for fault histories: drawn from a seed, each with what must become of it.

Updates, deletes, late versions, resends, one id under two payloads, and rows that break a rule, in shares that a real
shop would be ashamed of.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from faults.stricter import LIMIT

Fate = Literal["silver", "quarantine"]
SECOND = 1_000_000  # occurred_at counts microseconds
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
_BEGIN = 1_514_764_800 * SECOND  # 2018-01-01
_STATUSES = ("created", "approved", "invoiced", "processing", "shipped", "canceled", "unavailable")
_TYPES = ("credit_card", "boleto", "voucher", "debit_card")
_LATE = (HOUR, 3 * DAY, 400 * DAY)


@dataclass(frozen=True)
class Event:
    """What is sent. `fate`: where its row must be found."""

    entity: str
    event_id: str
    occurred_at: int
    columns: Mapping[str, Any]
    fate: Fate
    op: str = "upsert"

    @property
    def stricter_fate(self) -> Fate:
        """Where its row must be found if it was judged by the rules of `faults.stricter`."""
        value = self.columns.get("payment_value")
        above = self.fate == "silver" and self.op != "delete" and value is not None and float(value) > LIMIT
        return "quarantine" if above else self.fate

    @property
    def key(self) -> tuple[Any, ...]:
        """The business key."""
        if self.entity == "orders":
            return (self.columns["order_id"],)
        return (self.columns["order_id"], self.columns["payment_sequential"])


@dataclass
class Workload:
    """Draws one event after the other; the same seed gives the same ones."""

    seed: int
    _random: random.Random = field(init=False)
    _sent: list[Event] = field(default_factory=list)
    _now: int = _BEGIN

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def next(self) -> Event:
        """The next event; one that was drawn before may come again."""
        self._now += self._random.randrange(1, SECOND)
        event = self._draw()
        self._sent.append(event)
        return event

    def _draw(self) -> Event:
        die = self._random.random()
        earlier = self._random.choice(self._sent) if self._sent else None
        if earlier is None or die < 0.70:
            return self._fresh()
        if die < 0.80:
            return self._version_of(earlier, self._now)
        if die < 0.84:
            return self._version_of(earlier, earlier.occurred_at - self._random.choice(_LATE))
        if die < 0.88:
            return earlier  # resent: same id, same bytes
        if die < 0.91:
            return Event(
                earlier.entity, self._id(), self._now, self._key_columns(earlier), "silver", op="delete"
            )
        if die < 0.93:
            # the same id over another payload: a client's defect; both rows are kept, the newer version counts
            version = self._version_of(earlier, self._now)
            return Event(version.entity, earlier.event_id, version.occurred_at, version.columns, version.fate)
        return self._broken()

    def _fresh(self) -> Event:
        order_id = f"{self._random.getrandbits(128):032x}"
        if self._random.random() < 0.4:
            return self._order(order_id, self._now)
        if self._sent and self._random.random() < 0.6:  # of an order that is there, or of a payment's
            order_id = self._random.choice(self._sent).columns["order_id"]
        return self._payment((order_id, self._random.randrange(1, 4)), self._now)

    def _version_of(self, earlier: Event, occurred_at: int) -> Event:
        key = earlier.key
        return (
            self._order(key[0], occurred_at)
            if earlier.entity == "orders"
            else self._payment(key, occurred_at)
        )

    def _order(self, order_id: str, occurred_at: int) -> Event:
        columns = {
            "order_id": order_id,
            "customer_id": f"{self._random.getrandbits(128):032x}",
            "order_status": self._random.choice(_STATUSES),
            "order_purchase_timestamp": "2018-01-02 10:11:12",
            "order_estimated_delivery_date": "2018-02-02 00:00:00",
        }
        return Event("orders", self._id(), occurred_at, columns, "silver")

    def _payment(self, key: tuple[Any, ...], occurred_at: int) -> Event:
        columns = {
            "order_id": key[0],
            "payment_sequential": key[1],
            "payment_type": self._random.choice(_TYPES),
            "payment_installments": self._random.randrange(1, 13),
            "payment_value": f"{self._random.randrange(1, 100_000) / 100:.2f}",
        }
        return Event("payments", self._id(), occurred_at, columns, "silver")

    def _broken(self) -> Event:
        event = self._fresh()
        columns = dict(event.columns)
        if event.entity == "orders":
            columns["order_status"] = "lost in space"
        else:
            columns["payment_value"] = self._random.choice(("-1.00", "1.234", "ten"))
        return Event(event.entity, event.event_id, event.occurred_at, columns, "quarantine")

    def _key_columns(self, event: Event) -> Mapping[str, Any]:
        names = ("order_id",) if event.entity == "orders" else ("order_id", "payment_sequential")
        return {name: event.columns[name] for name in names}

    def _id(self) -> str:
        return f"f-{self.seed}-{self._random.getrandbits(64):016x}"
