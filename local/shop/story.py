"""What happens to events on their way: late ones, resends, corrections, deletes.

Every moment is in microseconds since 1970 UTC, every record counted from 0 in its file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from local.shop.clock import DAY_US, MINUTE_US, microseconds
from local.shop.dice import Dice
from local.shop.plant import Taken
from local.shop.tables import Table

_COUNTED_FOR = 8000  # orders that the counts below are for
_RESENDS, _LATE, _DELIVERIES, _PRICES, _SCORES, _PAYMENTS, _DELETES = 48, 60, 40, 8, 6, 4, 5
STREAMS = ("orders", "order_items", "payments", "reviews")


@dataclass(frozen=True)
class Row:
    """A row of a file."""

    entity: str
    record: int
    key: dict[str, str]


@dataclass(frozen=True)
class Late(Row):
    """The event arrives so many days after it happened."""

    days: int


@dataclass(frozen=True)
class Resend(Row):
    """The event is sent again, as it was, so many minutes after it first was."""

    minutes: int


@dataclass(frozen=True)
class Correction(Row):
    """A second version of the row: the columns in `changes` hold something else from this moment on."""

    occurred_at: int
    changes: dict[str, str]


@dataclass(frozen=True)
class Delete(Row):
    """The row is deleted at this moment."""

    occurred_at: int


@dataclass
class Story:
    """All that happens. Kinds meet: some corrected rows arrive after their correction, a deleted one again."""

    late: list[Late] = field(default_factory=list)
    resends: list[Resend] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    deletes: list[Delete] = field(default_factory=list)


class Storyteller:
    """Chooses the rows things happen to; each belongs to one thing, but where kinds meet on purpose."""

    def __init__(self, dice: Dice, tables: dict[str, Table], taken: Taken) -> None:
        self._dice, self._tables, self._taken = dice, tables, taken
        self._bought = {row[0]: row[3] for row in tables["orders"].rows}
        self.story = Story()

    def tell(self) -> Story:
        """The whole story; tables change where a correction needs an older first version."""
        self._delete_orders()
        self._deliver_orders()
        self._correct_prices()
        self._correct_scores()
        self._correct_payments()
        for row in self._pick_over_streams(_LATE):
            self.story.late.append(Late(row.entity, row.record, row.key, self._dice.between(2, 9)))
        for row in self._pick_over_streams(_RESENDS):
            minutes = 1 if self._dice.chance(0.5) else self._dice.between(10, 4000)
            self.story.resends.append(Resend(row.entity, row.record, row.key, minutes))
        return self.story

    def _delete_orders(self) -> None:
        """Orders entered by mistake go with all that hangs on them; a copy of the first comes back after that."""
        for number, order in enumerate(self._pick("orders", _DELETES, lambda row: row[2] == "delivered")):
            bought = self._moment(order)
            when = bought + self._dice.between(1, 3) * DAY_US + self._dice.below(DAY_US)
            for row in (order, *self._children(order)):
                self._taken.add((row.entity, row.record))
                deleted = max(when, self._moment(row) + MINUTE_US)
                self.story.deletes.append(Delete(row.entity, row.record, row.key, deleted))
            if number == 0:
                minutes = (when - bought) // MINUTE_US + self._dice.between(30, 900)
                self.story.resends.append(Resend("orders", order.record, order.key, minutes))

    def _deliver_orders(self) -> None:
        """The file has the order on its way; its delivery comes as a second version, for some before the first."""
        table = self._tables["orders"]
        for number, row in enumerate(self._pick("orders", _DELIVERIES, lambda row: row[2] == "delivered")):
            delivered = table.cell(row.record, "order_delivered_customer_date")
            table.put(row.record, "order_status", "shipped")
            table.put(row.record, "order_delivered_customer_date", "")
            when = microseconds(datetime.fromisoformat(delivered))
            changes = {"order_status": "delivered", "order_delivered_customer_date": delivered}
            self.story.corrections.append(Correction(row.entity, row.record, row.key, when, changes))
            if number % 8 == 0:
                days = (when - self._moment(row)) // DAY_US + 2
                self.story.late.append(Late(row.entity, row.record, row.key, days))

    def _correct_prices(self) -> None:
        table = self._tables["order_items"]
        for row in self._pick("order_items", _PRICES, lambda row: len(row[5]) > 4):
            centavos = int(table.cell(row.record, "price").replace(".", "")) * 9 // 10
            price = f"{centavos // 100}.{centavos % 100:02d}"
            self._correct(row, self._dice.between(1, 2), {"price": price})

    def _correct_scores(self) -> None:
        """Customers who had their trouble settled and think better of it."""
        for row in self._pick("reviews", _SCORES, lambda row: row[2] in "12"):
            self._correct(row, self._dice.between(4, 12), {"review_score": str(self._dice.between(4, 5))})

    def _correct_payments(self) -> None:
        for row in self._pick("payments", _PAYMENTS, lambda row: row[2] == "boleto"):
            self._correct(row, self._dice.between(1, 3), {"payment_type": "debit_card"})

    def _correct(self, row: Row, days: int, changes: dict[str, str]) -> None:
        when = self._moment(row) + days * DAY_US + self._dice.below(DAY_US // 4)
        self.story.corrections.append(Correction(row.entity, row.record, row.key, when, changes))

    def _pick(self, entity: str, count: int, fits: Callable[[list[str]], bool]) -> list[Row]:
        """So many rows (for 8,000 orders) that fit and are free; they are taken then. In file order."""
        table = self._tables[entity]
        free = [
            record
            for record, row in enumerate(table.rows)
            if (entity, record) not in self._taken and fits(row)
        ]
        share = max(1, (count * len(self._tables["orders"].rows) + _COUNTED_FOR // 2) // _COUNTED_FOR)
        chosen = sorted(self._dice.pick_many(free, share))
        self._taken.update((entity, record) for record in chosen)
        return [Row(entity, record, table.key(record)) for record in chosen]

    def _pick_over_streams(self, count: int) -> list[Row]:
        return [row for entity in STREAMS for row in self._pick(entity, count // len(STREAMS), bool)]

    def _children(self, order: Row) -> Iterator[Row]:
        for entity in STREAMS[1:]:
            table = self._tables[entity]
            column = table.form.columns.index("order_id")
            for record, row in enumerate(table.rows):
                if row[column] == order.key["order_id"]:
                    yield Row(entity, record, table.key(record))

    def _moment(self, row: Row) -> int:
        """When the event of this row occurred, as the feed will say."""
        if row.entity == "reviews":
            text = self._tables["reviews"].cell(row.record, "review_creation_date")
        else:
            text = self._bought[row.key["order_id"]]
        return microseconds(datetime.fromisoformat(text))
