"""Gold: what one more day costs with 7, 70 and 700 days of history behind it, in the same run.

    python -m bench.gold [--orders 140] [--days 7] [--rounds 3]

700 days of 140 orders are as many as the published Olist files hold. A day has so many orders with their customers,
items, payments and reviews, as many new states of orders of the last days, and two of a year ago. Timed are current
tables, facts and the touched rows of dimensions, to their publication; apart, what is computed over all history
(insights, scores of customers, sums over whole tables). CPU seconds of this process decide, as the wall clock also
measures what else runs here. Exit code 1 when history makes a day dearer than the promise.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.bronze import silver_schema
from lakehouse.catalog import load_entities
from lakehouse.paths import BronzeKey, Buckets, OutputKey
from local.model import refresh_gold
from local.publish import Listed

CEILING = 1.2
TIMES = (1, 10, 100)
HISTORY = "tag:history"  # in dbt/: what is computed over all history
FIRST_DAY = date(2010, 1, 1)
FIRST_NOON = datetime.fromisoformat("2010-01-01 12:00:00")  # without a zone, as all of Silver's moments are
COMMITTED = datetime.fromisoformat("2026-01-01 00:00:00")
PRODUCTS, SELLERS, ZIPS = 5_000, 500, 1_000
BUCKET = Buckets.of("bench").gold

Columns = dict[str, Any]


class Cost(NamedTuple):
    """Seconds of this process's CPU and of the clock."""

    cpu: float
    wall: float


class _Object(NamedTuple):
    key: str


class Folder:
    """As much of an object store as publishing needs, in a folder: S3 costs the same whatever the history."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, bucket: str, key: str, body: Any, /) -> None:
        """Writes the object."""
        path = self.root / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body if isinstance(body, bytes) else body.read())

    def head(self, bucket: str, key: str, /) -> object | None:
        """None when there is no such object."""
        return key if (self.root / bucket / key).exists() else None

    def get(self, bucket: str, key: str, /) -> bytes:
        """The object's bytes."""
        return (self.root / bucket / key).read_bytes()

    def keys(self, bucket: str, prefix: str, /) -> Sequence[Listed]:
        """Objects under a prefix."""
        top = self.root / bucket
        return [_Object(str(p.relative_to(top))) for p in top.glob(f"{prefix}**/*") if p.is_file()]

    def delete(self, bucket: str, key: str, /) -> None:
        """Removes the object."""
        (self.root / bucket / key).unlink()


class Shop:
    """Silver of a shop whose days are all alike; every column from a generator with a fixed seed."""

    def __init__(self, root: Path, orders: int) -> None:
        self.root, self.orders = root, orders
        self.dice = np.random.default_rng(20260101)
        self.files: dict[str, list[Path]] = {}
        self.days = 0

    def open(self, days: int) -> None:
        """Catalogue, places, and so many days of orders, all delivered."""
        products, sellers = (
            [_id(kind, n) for n in range(count)] for kind, count in (("p", PRODUCTS), ("s", SELLERS))
        )
        self._add("products", {"product_id": products, "product_category_name": "perfumaria"})
        self._add("sellers", {"seller_id": sellers, **self._place("seller", SELLERS)})
        zips = [f"{n:05d}" for n in range(ZIPS)]
        self._add(
            "geolocation",
            {"geolocation_zip_code_prefix": zips, "geolocation_lat": -23.5, "geolocation_lng": -46.6},
        )
        self._orders(days)

    def another_day(self) -> None:
        """New orders, and new states of orders that there are."""
        first = self.days * self.orders
        recent = self.dice.integers(max(0, first - 10 * self.orders), first, self.orders)
        known = np.concatenate([recent, self.dice.integers(0, max(1, first - 20 * self.orders), 2)])
        self._add("orders", self._order_rows(np.unique(known), "delivered"), self.days)
        self._orders(1)

    def _orders(self, days: int) -> None:
        numbers = np.arange(self.days * self.orders, (self.days + days) * self.orders)
        count = len(numbers)
        names = [_id("o", n) for n in numbers]
        self._add("orders", self._order_rows(numbers, "shipped" if days == 1 else "delivered"), self.days)
        self._add(
            "customers",
            {
                "customer_id": [_id("c", n) for n in numbers],
                # A tenth of all orders come from somebody who has ordered before.
                "customer_unique_id": [_id("u", n - n % 10 // 9) for n in numbers],
                **self._place("customer", count),
            },
            self.days,
        )
        self._add(
            "order_items",
            {
                "order_id": names,
                "order_item_id": 1,
                "product_id": [_id("p", n) for n in self.dice.integers(0, PRODUCTS, count)],
                "seller_id": [_id("s", n) for n in self.dice.integers(0, SELLERS, count)],
                "price": 99,
                "freight_value": 10,
            },
            self.days,
        )
        self._add("payments", {"order_id": names, "payment_sequential": 1, "payment_value": 109}, self.days)
        self._add(
            "reviews",
            {
                "review_id": [_id("r", n) for n in numbers],
                "order_id": names,
                "review_score": 5,
                "review_creation_date": [self._moment(n, 8) for n in numbers],
            },
            self.days,
        )
        self.days += days

    def _order_rows(self, numbers: np.ndarray[Any, Any], status: str) -> Columns:
        return {
            "order_id": [_id("o", n) for n in numbers],
            "customer_id": [_id("c", n) for n in numbers],
            "order_status": status,
            "order_purchase_timestamp": [self._moment(n, 0) for n in numbers],
            "order_delivered_customer_date": [self._moment(n, 6) for n in numbers],
            "order_estimated_delivery_date": [self._moment(n, 12) for n in numbers],
        }

    def _moment(self, number: int | np.integer[Any], later: int) -> datetime:
        return FIRST_NOON + timedelta(days=int(number) // self.orders + later)

    def _place(self, of: str, count: int) -> Columns:
        zips = [f"{n:05d}" for n in self.dice.integers(0, ZIPS, count)]
        return {f"{of}_zip_code_prefix": zips, f"{of}_state": "SP"}

    def _add(self, entity: str, columns: Mapping[str, Any], day: int = 0) -> None:
        """One object; a value that is no list is that of every row."""
        found = load_entities()[entity]
        listed = next(value for value in columns.values() if isinstance(value, list))
        at = COMMITTED + timedelta(minutes=len(self.files.get(entity, ())))
        envelope = {
            "event_id": [f"{entity}-{day}-{n}" for n in range(len(listed))],
            "occurred_at": at,
            "broker_time": at,
            "pos_log": "bench-1",
            "pos_topic": found.topic,
            "pos_partition": 0,
            "pos_offset": list(range(len(listed))),
        }
        given = {**columns, **envelope}
        arrays = [_array(given.get(field.name), field.type, len(listed)) for field in silver_schema(found)]
        key = OutputKey(
            BronzeKey(entity, FIRST_DAY, "bench-1", 0, len(self.files.get(entity, ()))), found.major, 0
        )
        path = self.root / str(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(arrays, schema=silver_schema(found)), path)
        self.files.setdefault(entity, []).append(path)


def _id(kind: str, number: int | np.integer[Any]) -> str:
    """32 characters in no order, as the shop's ids are: neighbours in time are not neighbours in a table."""
    return f"{(int(number) * 0x9E3779B97F4A7C15 + ord(kind)) % 2**64:016x}{int(number):015x}{kind}"


def _array(value: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if isinstance(value, list):
        return pa.array(value, kind)
    if pa.types.is_list(kind):
        return pa.array([[]] * rows, kind)
    return pa.repeat(pa.scalar(value, kind), rows)


def measure(root: Path, days: int, orders: int, rounds: int) -> tuple[Cost, Cost]:
    """One more day without and with what is computed over all history; the middle of some rounds each."""
    shop, store = Shop(root / "silver", orders), Folder(root / "gold")
    shop.open(days)
    _refresh(shop, root, store, "history", full=True)
    costs: dict[bool, list[Cost]] = {True: [], False: []}
    for number in range(rounds):
        for whole in (False, True):
            shop.another_day()
            costs[whole].append(
                _refresh(shop, root, store, f"day-{number}-{whole}", leave_out=() if whole else (HISTORY,))
            )
    bounded, whole_cost = (
        Cost(statistics.median(c.cpu for c in listed), statistics.median(c.wall for c in listed))
        for listed in (costs[False], costs[True])
    )
    return bounded, whole_cost


def _refresh(shop: Shop, root: Path, store: Folder, build: str, **how: Any) -> Cost:
    cpu, wall = time.process_time(), time.monotonic()
    refresh_gold(
        shop.files, root.parent / "model", store, BUCKET, build, datetime.now(UTC), lambda *_: None, **how
    )
    return Cost(time.process_time() - cpu, time.monotonic() - wall)


def main() -> int:
    """Prints one line per history; 1 when the promise is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=140, help="orders per day")
    parser.add_argument("--days", type=int, default=7, help="days of the shortest history")
    parser.add_argument("--rounds", type=int, default=3)
    wish = parser.parse_args()
    first: Cost | None = None
    ratio = 1.0
    with tempfile.TemporaryDirectory() as folder:
        for times in TIMES:
            days = wish.days * times
            bounded, whole = measure(Path(folder) / str(times), days, wish.orders, wish.rounds)
            first = first or bounded
            ratio = bounded.cpu / first.cpu
            print(
                f"{days:,} days of {wish.orders:,} orders behind it: one more day {bounded.cpu:.2f} CPU s "
                f"({bounded.wall:.1f} s), {ratio:.2f} of the first; over all history {whole.cpu - bounded.cpu:.2f} "
                f"CPU s ({whole.wall - bounded.wall:.1f} s) more",
                flush=True,
            )
    print(f"history x {TIMES[-1]}: {ratio:.2f} of the cost (at most {CEILING})")
    return 0 if ratio <= CEILING else 1


if __name__ == "__main__":
    raise SystemExit(main())
