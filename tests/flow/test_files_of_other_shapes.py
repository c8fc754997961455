"""Faults 31 to 36 from a file to Silver, Quarantine and what `nexus extras` prints."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from adapters.ledger import Ledger, reports
from bronze_writer.load import load_file
from lakehouse.catalog import load_entities
from lakehouse.footer import OutputFooter
from lambdas.check_rows import handler as check_rows
from lambdas.check_rows.object_check import ObjectCheck
from local.check_runner import LocalContext
from local.doctor import examine_ledger
from local.extras import unknown_columns
from local.lake import Lake
from tests.builders.bronze import NOON
from tests.builders.messages import BUCKETS, a_batch, an_announcement, land
from tests.builders.rows import an_item, an_order, bronze_table, parquet_bytes, read_parquet
from tests.fakes.object_store import FakeObjectStore

ENTITIES = load_entities()
SELLER = b"6560211a19b47992c3666cc44a7e94c0,13023,campinas,SP"
HEADER = b"seller_id,seller_zip_code_prefix,seller_city,seller_state"


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


def check(store: FakeObjectStore, ledger: Ledger, *keys: str) -> None:
    hop = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)
    answer = check_rows.build_handler(lambda: hop)(a_batch(*map(an_announcement, keys)), LocalContext())
    assert answer == {"batchItemFailures": []}


def loaded(path: Path, body: bytes, entity: str, store: FakeObjectStore, ledger: Ledger) -> None:
    path.write_bytes(body)
    load_file(path, ENTITIES[entity], store, BUCKETS.bronze, now=lambda: NOON)
    check(store, ledger, *(s.key for s in store.keys(BUCKETS.bronze, f"{entity}/year=")))


def rows(store: FakeObjectStore, ledger: Ledger, entity: str, layer: str) -> list[dict[str, Any]]:
    silver = layer == "silver"
    keys = (reports.committed_silver if silver else reports.committed_quarantine)(ledger).get(entity, [])
    bucket = BUCKETS.silver if silver else BUCKETS.quarantine
    return [row for key in keys for row in read_parquet(store.get(bucket, key)).to_pylist()]


def a_lake(folder: Path, store: FakeObjectStore) -> Lake:
    """The store's files, where a lake on this machine has them."""
    lake = Lake(folder, BUCKETS)
    for bucket in (BUCKETS.silver, BUCKETS.quarantine):
        for stored in store.keys(bucket, ""):
            path = lake.file(bucket, stored.key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.get(bucket, stored.key))
    return lake


def test_fault_34_unknown_column_of_a_csv_file_ends_as_lines_for_the_contract(
    tmp_path: Path, store: FakeObjectStore, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    body = HEADER + b",Age of shop,rating\n" + SELLER + b",5,4.25\n" + SELLER + b",12,\nx,1,a,SP,7,10.5\n"
    loaded(tmp_path / "sellers.csv", body, "sellers", store, ledger)
    silver, [held] = (rows(store, ledger, "sellers", layer) for layer in ("silver", "quarantine"))
    assert [row["extras"] for row in silver] == [
        '{"Age of shop": "5", "rating": "4.25"}',
        '{"Age of shop": "12"}',
    ]
    assert [row["warnings"] for row in silver] == [
        ["Age of shop_not_in_contract", "rating_not_in_contract"],
        ["Age of shop_not_in_contract"],
    ]
    assert held["extras"] == '{"Age of shop": "7", "rating": "10.5"}'
    [key] = reports.committed_silver(ledger)["sellers"]
    footer = OutputFooter.from_parquet(
        pq.read_metadata(pa.BufferReader(store.get(BUCKETS.silver, key))).metadata
    )
    assert footer.extras == {"Age of shop": 3, "rating": 2}
    assert '"ColumnsUnknown":[2.0]' in capsys.readouterr().out
    assert reports.balance(ledger)["sellers"].closed
    found = unknown_columns(a_lake(tmp_path / "lake", store), ledger)
    assert [(c.entity, c.name, c.rows, c.examples) for c in found] == [
        ("sellers", "Age of shop", 3, ("5", "12", "7")),
        ("sellers", "rating", 2, ("4.25", "10.5")),
    ]
    first, second = (yaml.safe_load(column.snippet())[0] for column in found)
    assert (first["name"], first["logicalType"], first["required"]) == ("age_of_shop", "integer", False)
    assert (second["name"], second["logicalType"], second["physicalType"]) == (
        "rating",
        "number",
        "decimal(4,2)",
    )
    assert 'stands in the file as "Age of shop"' in found[0].snippet()
    notes = [
        f.text
        for f in examine_ledger(a_lake(tmp_path / "lake", store), ledger, None, NOON)
        if f.subject == "contract"
    ]
    assert notes == [
        "sellers came with columns that its contract does not know: Age of shop (2 rows of Silver), "
        "rating (1 rows of Silver)"
    ]


def test_fault_34_lake_without_unknown_columns_has_none_to_show(
    tmp_path: Path, store: FakeObjectStore, ledger: Ledger
) -> None:
    """Also one whose files are from before there were extras."""
    loaded(tmp_path / "sellers.csv", HEADER + b"\n" + SELLER + b"\nx,1,a,SP\n", "sellers", store, ledger)
    assert unknown_columns(a_lake(tmp_path / "lake", store), ledger) == []
    [key] = reports.committed_quarantine(ledger)["sellers"]
    before = read_parquet(store.get(BUCKETS.quarantine, key)).drop_columns(["extras"])
    store.put(BUCKETS.quarantine, key, parquet_bytes(before))
    assert unknown_columns(a_lake(tmp_path / "old", store), ledger) == []


def test_fault_31_csv_file_without_an_optional_column_passes_with_a_warning(
    tmp_path: Path, store: FakeObjectStore, ledger: Ledger
) -> None:
    names = [f.name for f in ENTITIES["products"].fields if f.name != "product_photos_qty"]
    cells = [b"6560211a19b47992c3666cc44a7e94c0", b"perfumaria", *[b"12"] * (len(names) - 2)]
    body = ",".join(names).encode() + b"\n" + b",".join(cells) + b"\n"
    loaded(tmp_path / "products.csv", body, "products", store, ledger)
    [row] = rows(store, ledger, "products", "silver")
    assert (row["product_photos_qty"], row["warnings"]) == (None, ["product_photos_qty_not_in_object"])
    assert ("products", "warn", "product_photos_qty_not_in_object", 1) in reports.rows_by_rule(ledger)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"price": pa.array([1.5, 2.5])}, "column price is double, but decimal128(10, 2) or text is wanted"),
        ({"Price": pa.array(["1", "2"])}, "columns 'price' and 'Price' differ only in capitals"),
        ({"price": None}, "column price is missing"),
        (
            {"price": None, "item_price": pa.array(["1", "2"])},
            "'item_price' looks like price: give it that name",
        ),
    ],
)
def test_faults_31_32_33_35_hold_the_whole_object_with_a_reason_for_people(
    changed: dict[str, pa.Array | None], message: str, store: FakeObjectStore, ledger: Ledger
) -> None:
    table = bronze_table(ENTITIES["order_items"], [an_item(), an_item()])
    bad = table
    for name, array in changed.items():
        bad = bad.drop_columns([name]) if name in bad.column_names else bad
        bad = bad if array is None else bad.append_column(name, array)
    key = land(store, table, parquet_bytes(bad), entity="order_items")
    check(store, ledger, key)
    [row] = rows(store, ledger, "order_items", "quarantine")
    [reason] = row["reasons"]
    assert reason["rule"] == "UNREADABLE"
    assert message in reason["message"]
    balance = reports.balance(ledger)["order_items"]
    assert (balance.closed, balance.quarantine.rows) == (True, 2)


def test_fault_33_parquet_file_of_other_types_arrives_as_if_it_were_text(
    store: FakeObjectStore, ledger: Ledger
) -> None:
    table = bronze_table(ENTITIES["order_items"], [an_item(), an_item(order_item_id=0), an_item(price="7")])
    other = table
    for name, type_ in {
        "order_id": pa.dictionary(pa.int32(), pa.string()),
        "product_id": pa.large_string(),
        "order_item_id": pa.uint8(),
        "price": pa.decimal128(20, 4),
        "shipping_limit_date": pa.timestamp("ms"),
        "freight_value": pa.binary(),
        "pos_partition": pa.int64(),
    }.items():
        place = other.schema.get_field_index(name)
        other = other.set_column(place, name, other.column(name).cast(type_))
    check(store, ledger, land(store, table, entity="order_items"))
    wanted = rows(store, ledger, "order_items", "silver"), rows(store, ledger, "order_items", "quarantine")
    ledger.read(lambda db: db.run("truncate object, revision, partition_state, void_range"))
    again = FakeObjectStore()
    check(again, ledger, land(again, table, parquet_bytes(other), entity="order_items"))
    assert (
        rows(again, ledger, "order_items", "silver"),
        rows(again, ledger, "order_items", "quarantine"),
    ) == wanted
    assert reports.balance(ledger)["order_items"].closed


def test_fault_36_text_that_is_not_utf8_is_held_alone(store: FakeObjectStore, ledger: Ledger) -> None:
    table = bronze_table(ENTITIES["orders"], [an_order(), an_order()])
    place = table.schema.get_field_index("order_status")
    broken = pa.array([b"delivered", b"caf\xe9"]).view(pa.string())
    key = land(store, table, parquet_bytes(table.set_column(place, "order_status", broken)))
    check(store, ledger, key)
    [passed], [held] = (rows(store, ledger, "orders", layer) for layer in ("silver", "quarantine"))
    assert passed["order_status"] == "delivered"
    assert (held["order_status"], held["raw_reason"]) == (
        "caf\\xe9",
        "byte 4 of order_status (0xe9) is not UTF-8",
    )
    assert json.dumps(held["reasons"]).count("UNDECODABLE") == 1
