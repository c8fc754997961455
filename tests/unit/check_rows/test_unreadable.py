"""Objects that are not as they should be: held whole, or left a loud hole; never half of one."""

import pyarrow as pa
import pytest

from adapters.ledger import Ledger, reports
from lakehouse.balance import Amount
from lakehouse.errors import LakeError
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from tests.builders.checked import ORDERS, Call, footer_of, orders, outputs
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import (
    an_order,
    bronze_table,
    metadata_of,
    parquet_bytes,
    read_parquet,
)
from tests.fakes.object_store import FakeObjectStore


def test_handler_leaves_an_object_without_metadata_a_loud_hole(
    store: FakeObjectStore, ledger: Ledger, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    table = orders(an_order())
    key = str(metadata_of(table).key)
    store.put(BUCKETS.bronze, key, parquet_bytes(table))
    assert call(an_announcement(key)) == ["m0"]
    assert "was it written by another sink?" in caplog.text
    assert reports.bronze_keys(ledger) == {}


def test_handler_refuses_metadata_of_another_key(
    store: FakeObjectStore, ledger: Ledger, check: ObjectCheck
) -> None:
    table = orders(an_order())
    other = str(metadata_of(table, log="emb-9").key)
    store.put(BUCKETS.bronze, other, parquet_bytes(table), metadata_of(table).to_s3())
    with pytest.raises(LakeError, match="copied or renamed"):
        check_message(check, an_announcement(other))
    assert reports.bronze_keys(ledger) == {}


def test_handler_waits_for_the_contract_of_an_entity_it_does_not_know(check: ObjectCheck) -> None:
    with pytest.raises(LakeError, match="there is no contract for unheard_of"):
        check_message(
            check,
            an_announcement("unheard_of/year=2018/month=03/day=04/emb-1+0+00000000000000000000.parquet"),
        )


def unreadable_bytes() -> dict[str, tuple[bytes, str]]:
    table = orders(an_order(), an_order(order_id="x"))
    whole, hashes = parquet_bytes(table), table.schema.get_field_index("row_hash")
    offsets, log = table.schema.get_field_index("pos_offset"), table.schema.get_field_index("pos_log")
    wrong = {
        "empty": (b"", "not a single byte"),
        "text": (b"order_id,customer_id\n", "no Parquet file"),
        "cut short": (whole[:-20], "no Parquet file"),
        "only a tail": (whole[-200:], "no Parquet file"),
        "zeros": (b"\0" * 1000, "no Parquet file"),
        "fewer rows": (parquet_bytes(table.slice(1)), "1 rows, its metadata says 2"),
        "more rows": (parquet_bytes(pa.concat_tables([table, table])), "4 rows, its metadata says 2"),
        "no status": (parquet_bytes(table.drop_columns(["order_status"])), "column order_status is missing"),
        "doubled": (
            parquet_bytes(table.append_column("order_id", table.column("order_id"))),
            "stands in it twice",
        ),
        "capitals": (
            parquet_bytes(table.append_column("Order_Id", table.column("order_id"))),
            "'order_id' and 'Order_Id' differ only in capitals",
        ),
        "hashes": (parquet_bytes(table.set_column(hashes, "row_hash", pa.array([1, 2]))), "hashes sum to 3"),
        "no hash": (
            parquet_bytes(table.set_column(hashes, "row_hash", pa.array([1, None]))),
            "row_hash lacks values",
        ),
        "offsets": (parquet_bytes(table.set_column(offsets, "pos_offset", pa.array([0, 0]))), "do not rise"),
        "before": (parquet_bytes(table.set_column(offsets, "pos_offset", pa.array([-1, 0]))), "do not rise"),
        "row groups": (parquet_bytes(table.take([1, 0]), row_group_size=1), "do not rise"),
        "beyond": (parquet_bytes(table.set_column(offsets, "pos_offset", pa.array([0, 2]))), "do not rise"),
        "log": (
            parquet_bytes(table.set_column(log, "pos_log", pa.array(["emb-1", "x"]))),
            "another log than emb-1",
        ),
    }
    page = whole.index(b"delivered")
    wrong["a flipped page"] = (whole[: page - 40] + b"\xff" * 40 + whole[page:], "are broken")
    return wrong


@pytest.mark.parametrize("name", sorted(unreadable_bytes()))
def test_faults_25_26_handler_holds_an_unreadable_object_whole(
    name: str, store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    data, problem = unreadable_bytes()[name]
    table = orders(an_order(), an_order(order_id="x"))
    metadata = metadata_of(table)
    key = land(store, table, data)
    assert call(an_announcement(key)) == []
    silver, quarantine = outputs(store, ledger, key)
    assert quarantine is not None
    [row] = read_parquet(quarantine).to_pylist()
    [reason] = row["reasons"]
    assert reason["rule"] == "UNREADABLE"
    assert "2 rows at offsets 0 to 1 could not be read" in reason["message"]
    assert problem in reason["message"]
    assert row["row_hash"] % 2**64 == metadata.hash_sum
    assert len(read_parquet(silver)) == 0
    balance = reports.balance(ledger)["orders"]
    assert balance.closed
    assert balance.quarantine == Amount(2, metadata.hash_sum)
    assert footer_of(quarantine).reasons == {"UNREADABLE": 2}


def test_fault_25_handler_survives_a_flip_of_any_byte(
    store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    """Wherever a byte is wrong: the object is read as it is, or held whole; the balance closes in either case."""

    def orders_of(log: str) -> pa.Table:
        return bronze_table(ORDERS, [an_order(), an_order(order_id="x")], log=log)

    whole, keys = parquet_bytes(orders_of("emb-0")), []
    for number, place in enumerate(range(0, len(whole), 61)):
        data = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        moved = orders_of(f"emb-{number}")
        keys.append(land(store, moved, data, log=f"emb-{number}"))
    assert call(*map(an_announcement, keys)) == []
    assert set(reports.bronze_keys(ledger).values()) == {"committed"}
    assert reports.balance(ledger)["orders"].closed
