"""The real Olist files from CSV to Silver and Quarantine: nothing lost, totals as published, verdicts as expected."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from adapters.ledger import Ledger, reports
from bronze_writer.load import load_file
from lakehouse.catalog import load_entities
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from tests.builders.bronze import NOON
from tests.builders.messages import BUCKETS, an_announcement
from tests.builders.olist import TRUNCATED_REVIEWS, file_of
from tests.builders.rows import read_parquet
from tests.fakes.object_store import FakeObjectStore

ENTITIES = load_entities()
PUBLISHED = {
    "orders": 99_441,
    "order_items": 112_650,
    "payments": 103_886,
    "customers": 99_441,
    "products": 32_951,
    "sellers": 3_095,
    "category_translation": 71,
    "reviews": 95_064,
    "geolocation": 64_186,
}
SUMS = {
    ("order_items", "price"): Decimal("13591643.70"),
    ("order_items", "freight_value"): Decimal("2251909.54"),
    ("payments", "payment_value"): Decimal("16008872.12"),
}


def check_everything(store: FakeObjectStore, ledger: Ledger) -> None:
    hop = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)
    for stored in store.keys(BUCKETS.bronze, ""):
        assert check_message(hop, an_announcement(stored.key)).what in ("committed", "settled", "ignored")


def silver(store: FakeObjectStore, ledger: Ledger, entity: str, columns: list[str]) -> pa.Table:
    keys = reports.committed_silver(ledger)[entity]
    return pa.concat_tables([read_parquet(store.get(BUCKETS.silver, key)).select(columns) for key in keys])


def test_real_files_arrive_whole_with_the_expected_verdicts(olist_data: Path, ledger: Ledger) -> None:
    store = FakeObjectStore()
    for name, entity in ENTITIES.items():
        load_file(file_of(olist_data, name), entity, store, BUCKETS.bronze, now=lambda: NOON)
    check_everything(store, ledger)
    balances = reports.balance(ledger)
    assert {name: b.bronze.rows for name, b in balances.items()} == PUBLISHED
    assert all(balance.closed for balance in balances.values())
    assert {name: b.quarantine.rows for name, b in balances.items() if b.quarantine.rows} == {
        "geolocation": 9
    }
    for (entity, column), total in SUMS.items():
        assert pc.sum(silver(store, ledger, entity, [column]).column(0)).as_py() == total


def test_truncated_reviews_are_held_with_a_reason_a_clerk_understands(
    olist_data: Path, ledger: Ledger
) -> None:
    store = FakeObjectStore()
    load_file(olist_data / TRUNCATED_REVIEWS, ENTITIES["reviews"], store, BUCKETS.bronze, now=lambda: NOON)
    check_everything(store, ledger)
    balance = reports.balance(ledger)["reviews"]
    assert balance.closed
    assert (balance.silver.rows, balance.quarantine.rows) == (0, 3467)
    [key] = reports.committed_quarantine(ledger)["reviews"]
    held = read_parquet(store.get(BUCKETS.quarantine, key))
    messages = {reason["message"] for row in held.column("reasons").to_pylist() for reason in row}
    assert messages == {"The creation date is missing."}


def test_real_file_loaded_again_changes_nothing(olist_data: Path, ledger: Ledger) -> None:
    store, found = FakeObjectStore(), []
    for _ in range(2):
        load_file(
            file_of(olist_data, "sellers"), ENTITIES["sellers"], store, BUCKETS.bronze, now=lambda: NOON
        )
        check_everything(store, ledger)
        found.append((reports.balance(ledger), reports.positions(ledger)))
    assert found[0] == found[1]
