"""Random histories of a shop: few keys, again and again; late, doubled, deleted, corrected, items before orders."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.builders.silver import NOON, Row, a_deletion, a_load, a_silver_row, an_id, civil

ZIPS = ("01310", "13023", "20000")
MONTHS = ("2017-12-31 23:59:59", "2018-01-01 00:00:00", "2018-03-10 10:00:00", "2019-07-05 12:00:00")
CATEGORIES = ("perfumaria", "pc_gamer")
# How often each entity is drawn: orders and items meet most of the rest.
WEIGHTS = {
    "orders": 8,
    "order_items": 8,
    "payments": 4,
    "reviews": 4,
    "customers": 5,
    "products": 4,
    "sellers": 4,
    "geolocation": 4,
    "category_translation": 2,
}


@dataclass(frozen=True)
class Arrival:
    """A Silver row and the build that is the first to find it committed."""

    build: int
    entity: str
    row: Row


@dataclass(frozen=True)
class History:
    """What arrives in which build; builds in `failed` come to nothing, so that the next one reads the same again."""

    seed: int
    builds: int
    failed: frozenset[int]
    arrivals: tuple[Arrival, ...]

    def with_arrivals(self, arrivals: Sequence[Arrival]) -> "History":
        """The same builds with other rows."""
        return History(self.seed, self.builds, self.failed, tuple(arrivals))

    def told(self) -> str:
        """One line per row, in the order of their builds."""
        lines = [f"seed {self.seed}: {self.builds} builds, of which {sorted(self.failed)} failed"]
        for arrival in sorted(self.arrivals, key=lambda a: (a.build, a.entity, a.row["pos_offset"])):
            valid = a_silver_row(arrival.entity)
            told = {n: v for n, v in arrival.row.items() if n not in valid or v != valid[n]}
            lines.append(f"  build {arrival.build} {arrival.entity}: {told}")
        return "\n".join(lines)


def a_history(seed: int, builds: int | None = None) -> History:
    """The history of a seed. Every row has a position of its own; a doubled event has several."""
    dice = random.Random(seed)
    count = builds or dice.randint(2, 4)
    rows = [_event(dice) for _ in range(dice.randint(3, 40))]
    rows += [(entity, dict(row)) for entity, row in dice.choices(rows, k=dice.randint(0, 5))]
    offsets = dice.sample(range(1_000), len(rows))
    arrivals = []
    for (entity, row), offset in zip(rows, offsets, strict=True):
        row["pos_offset"] = offset
        row.setdefault("event_id", f"{entity}-{offset}")
        arrivals.append(Arrival(dice.randrange(count), entity, row))
    failed = frozenset(build for build in range(count - 1) if dice.random() < 0.15)
    return History(seed, count, failed, tuple(arrivals))


def _event(dice: random.Random) -> tuple[str, Row]:
    entity = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if entity == "geolocation":
        return entity, _sighting(dice)
    envelope: dict[str, Any] = {
        # Few moments, so that the ties are drawn that position has to settle.
        "occurred_at": dice.choice((None, *(NOON + timedelta(hours=h) for h in range(3)))),
        "broker_time": NOON + timedelta(hours=dice.randrange(2)),
        "pos_log": dice.choice(("emb-1", "emb-2")),
        "pos_partition": dice.randrange(2),
        "source": "canary" if dice.random() < 0.04 else "web-shop",
    }
    if dice.random() < 0.3:
        envelope["event_id"] = f"{entity}-again-{dice.randrange(3)}"
    columns = _COLUMNS[entity](dice)
    if dice.random() < 0.15:
        key = {name: value for name, value in columns.items() if name in _KEYS[entity]}
        return entity, a_deletion(entity, **key, **envelope)
    return entity, a_silver_row(entity, **columns, **envelope)


def _sighting(dice: random.Random) -> Row:
    place = {
        "geolocation_zip_code_prefix": dice.choice(ZIPS),
        "geolocation_lat": dice.choice((-23.5, -22.9, None)),
        "geolocation_lng": dice.choice((-46.6, -43.2)),
    }
    if dice.random() < 0.6:  # all rows of a load have its time
        load = dice.randrange(3)
        at = NOON + timedelta(days=load)
        log = a_load(f"geolocation {load}")
        return a_silver_row(
            "geolocation", **place, source="load", pos_log=log, occurred_at=at, broker_time=at
        )
    return a_silver_row(
        "geolocation",
        **place,
        source="web-shop",
        pos_log=dice.choice(("emb-1", "emb-2")),
        occurred_at=NOON + timedelta(hours=dice.randrange(4)),
        event_id=f"place-{dice.randrange(6)}",
    )


def _id(dice: random.Random, first: int, count: int) -> str:
    return an_id(first + dice.randrange(count))


_KEYS = {
    "orders": ("order_id",),
    "order_items": ("order_id", "order_item_id"),
    "payments": ("order_id", "payment_sequential"),
    "reviews": ("review_id", "order_id"),
    "customers": ("customer_id",),
    "products": ("product_id",),
    "sellers": ("seller_id",),
    "category_translation": ("product_category_name",),
}
_COLUMNS = {
    "orders": lambda dice: {
        "order_id": _id(dice, 1, 4),
        "customer_id": _id(dice, 11, 4),
        "order_status": dice.choice(("delivered", "shipped", "canceled", None)),
        "order_purchase_timestamp": dice.choice((None, *map(civil, MONTHS))),
        "order_delivered_customer_date": dice.choice((None, civil("2018-03-21 22:00:00"))),
    },
    "order_items": lambda dice: {
        "order_id": _id(dice, 1, 5),
        "order_item_id": dice.randint(1, 2),
        "product_id": _id(dice, 21, 3),
        "seller_id": _id(dice, 31, 3),
        "price": Decimal(dice.randint(0, 3)),
    },
    "payments": lambda dice: {
        "order_id": _id(dice, 1, 5),
        "payment_sequential": dice.randint(1, 2),
        "payment_value": Decimal(dice.randint(0, 3)),
    },
    "reviews": lambda dice: {
        "review_id": _id(dice, 41, 2),
        "order_id": _id(dice, 1, 5),
        "review_score": dice.randint(1, 5),
        "review_creation_date": dice.choice(tuple(map(civil, MONTHS))),
    },
    "customers": lambda dice: {
        "customer_id": _id(dice, 11, 4),
        "customer_unique_id": dice.choice((an_id(51), an_id(52), None)),
        "customer_zip_code_prefix": dice.choice(ZIPS),
        "customer_state": dice.choice(("SP", "RJ")),
    },
    "products": lambda dice: {
        "product_id": _id(dice, 21, 3),
        "product_category_name": dice.choice((*CATEGORIES, None)),
    },
    "sellers": lambda dice: {"seller_id": _id(dice, 31, 3), "seller_zip_code_prefix": dice.choice(ZIPS)},
    "category_translation": lambda dice: {
        "product_category_name": dice.choice(CATEGORIES),
        "product_category_name_english": dice.choice(("perfumery", "gaming")),
    },
}
