"""Makes a believable shop in the shape of Olist's files, the same for the same seed wherever it runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.shop.dice import Dice
from local.shop.expectation import expect
from local.shop.orders import fill_orders, fill_payments, make_orders
from local.shop.people import Homes, make_people, make_sellers
from local.shop.plant import Taken, plant_defects
from local.shop.reviews import fill_reviews
from local.shop.stock import fill_translation, make_products
from local.shop.story import Storyteller
from local.shop.tables import Table, new_tables

EXPECTATION = "shop.json"
LEAST_ORDERS = 200  # fewer leave no row for some kinds of defects

# Olist's published proportions to its 99,441 orders; a small shop still has a choice of sellers and products.
_ORDERS_PER_SELLER, _LEAST_SELLERS = 32, 12
_ORDERS_PER_PRODUCT, _LEAST_PRODUCTS = 3, 60
_ORDERS_PER_ZIP = 4


@dataclass(frozen=True)
class Shop:
    """A shop that was written: its folder, and what `shop.json` in it says."""

    folder: Path
    expectation: Mapping[str, Any]


def generate_shop(folder: Path, seed: int, orders: int = 8000) -> Shop:
    """Writes the nine CSV files and `shop.json` into a folder, over what stood there.

    The same seed and number of orders give the same bytes on every platform. `shop.json` comes last, so a folder
    that has one is whole. Raises ValueError for fewer orders than the kinds of defects need.
    """
    if orders < LEAST_ORDERS:
        raise ValueError(f"a shop of {orders} orders is too small: ask for {LEAST_ORDERS} or more")
    tables = _fill(seed, orders)
    taken: Taken = set()
    story = Storyteller(Dice(seed, "story"), tables, taken).tell()
    defects = plant_defects(Dice(seed, "defects"), tables, taken)
    expectation = expect(seed, tables, story, defects)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EXPECTATION).unlink(missing_ok=True)
    for table in tables.values():
        table.write(folder)
    text = json.dumps(expectation, ensure_ascii=False, indent=1)
    (folder / EXPECTATION).write_text(text + "\n", encoding="utf-8", newline="\n")
    return Shop(folder, expectation)


def _fill(seed: int, count: int) -> dict[str, Table]:
    """All tables as they would be if nothing ever went wrong, in the order of their files."""
    tables = new_tables()
    homes = Homes(Dice(seed, "homes"), count // _ORDERS_PER_ZIP)
    homes.fill(tables["geolocation"])
    sellers = make_sellers(seed, homes, max(_LEAST_SELLERS, count // _ORDERS_PER_SELLER), tables["sellers"])
    products = max(_LEAST_PRODUCTS, count // _ORDERS_PER_PRODUCT)
    stock = make_products(seed, sellers, products, tables["products"])
    fill_translation(tables["category_translation"])
    orders = list(make_orders(seed, make_people(seed, homes, count), stock))
    fill_orders(orders, tables)
    fill_payments(seed, orders, tables["payments"])
    fill_reviews(seed, orders, tables["reviews"])
    # Olist's files are in no order of time but orders and reviews; ids are as good as chance
    tables["order_items"].rows.sort(key=lambda row: row[0])
    tables["payments"].rows.sort(key=lambda row: row[0][::-1])
    tables["customers"].rows.sort(key=lambda row: row[0])
    return tables
