"""The check Lambda as SQS calls it: which messages it takes, what it writes, what it gives back."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.ledger import Ledger, reports
from lakehouse.balance import Amount
from lakehouse.identity import hash_sum
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from tests.builders.bronze import NOON
from tests.builders.checked import ENTITIES, ORDERS, Call, footer_of, orders, outputs
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import (
    a_raw_row,
    a_row,
    an_order,
    bronze_table,
    metadata_of,
    parquet_bytes,
    read_parquet,
)
from tests.fakes.object_store import FakeObjectStore

# --- a good object


def test_handler_splits_an_object_and_commits_it(store: FakeObjectStore, ledger: Ledger, call: Call) -> None:
    table = orders(an_order(), an_order(order_id="x"), an_order(), a_raw_row("orders"))
    key = land(store, table)
    assert call(an_announcement(key)) == []
    silver, quarantine = outputs(store, ledger, key)
    assert quarantine is not None
    hashes = table.column("row_hash").to_pylist()
    assert read_parquet(silver).column("row_hash").to_pylist() == [hashes[0], hashes[2]]
    held = read_parquet(quarantine)
    assert held.column("row_hash").to_pylist() == [hashes[1], hashes[3]]
    assert [[r["rule"] for r in row] for row in held.column("reasons").to_pylist()] == [
        ["order_id_is_id"],
        ["UNDECODABLE"],
    ]
    assert held.column("bronze_row").to_pylist() == [1, 3]
    balance = reports.balance(ledger)["orders"]
    assert balance.closed
    assert (balance.silver.rows, balance.quarantine.rows) == (2, 2)
    assert balance.quarantine.hash_sum == hash_sum([hashes[1], hashes[3]])


def test_handler_writes_footers_from_which_the_ledger_can_be_rebuilt(
    store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    table = orders(an_order(order_approved_at=None), an_order(order_id="x"))
    key = land(store, table)
    call(an_announcement(key))
    silver, quarantine = outputs(store, ledger, key)
    assert quarantine is not None
    footer, hashes = footer_of(silver), table.column("row_hash").to_pylist()
    assert footer == footer_of(quarantine)
    head = store.head(BUCKETS.bronze, key)
    assert head is not None
    assert (footer.bronze, footer.bronze_etag, footer.bronze_size) == (
        metadata_of(table),
        head.etag,
        head.size,
    )
    assert (footer.revision, footer.contract_version, footer.rules_hash) == (0, "1.0.0", ORDERS.rules_hash)
    assert (footer.silver, footer.quarantine) == (Amount(1, hashes[0] % 2**64), Amount(1, hashes[1] % 2**64))
    assert (footer.reasons, footer.warnings) == ({"order_id_is_id": 1}, {"delivered_has_approval": 1})
    assert store.head(BUCKETS.silver, footer.silver_key)
    assert store.head(BUCKETS.quarantine, footer.quarantine_key)


def test_handler_writes_silver_also_when_it_is_empty_and_no_empty_quarantine(
    store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    bad, good = land(store, orders(an_order(order_id="x"))), land(store, orders(an_order(), first=1))
    empty = land(store, orders(), log="emb-2", end_offset=1)
    assert call(*map(an_announcement, (bad, good, empty))) == []
    assert len(read_parquet(outputs(store, ledger, bad)[0])) == 0
    assert outputs(store, ledger, good)[1] is None
    assert len(read_parquet(outputs(store, ledger, empty)[0])) == 0
    assert len(list(store.keys(BUCKETS.quarantine, ""))) == 1
    assert reports.balance(ledger)["orders"].closed


def test_fault_26_object_without_rows_is_committed_with_none(
    store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    """A log's control records and compacted ones take offsets and have no rows."""
    key = land(store, orders(), end_offset=2)
    assert call(an_announcement(key)) == []
    silver, quarantine = outputs(store, ledger, key)
    assert len(read_parquet(silver)) == 0
    assert quarantine is None
    balance = reports.balance(ledger)["orders"]
    assert balance.closed
    assert balance.bronze == balance.silver == Amount()
    assert reports.positions(ledger)[0].landed == 2


def test_handler_reads_row_group_by_row_group(store: FakeObjectStore, ledger: Ledger, call: Call) -> None:
    rows = [an_order(order_id="x") if n % 3 == 0 else an_order() for n in range(20)]
    table = orders(*rows)
    key = land(store, table, parquet_bytes(table, row_group_size=4))
    call(an_announcement(key))
    silver, quarantine = outputs(store, ledger, key)
    assert quarantine is not None
    assert read_parquet(quarantine).column("bronze_row").to_pylist() == list(range(0, 20, 3))
    assert pq.read_metadata(pa.BufferReader(silver)).num_row_groups == 5
    assert reports.balance(ledger)["orders"].closed


def test_handler_checks_a_batch_load_all_in_text(store: FakeObjectStore, ledger: Ledger, call: Call) -> None:
    products = ENTITIES["products"]
    rows = [
        a_row("products"),
        a_row("products", product_weight_g="0"),
        a_raw_row("products", b"a,b\xff", "Not UTF-8."),
    ]
    table = bronze_table(products, rows, all_text=True)
    key = land(store, table, entity="products")
    assert call(an_announcement(key)) == []
    silver, quarantine = outputs(store, ledger, key)
    assert quarantine is not None
    assert read_parquet(silver).column("product_weight_g").to_pylist() == [225, 0]
    assert read_parquet(silver).column("warnings").to_pylist() == [[], ["product_weight_g_not_zero"]]
    [held] = read_parquet(quarantine).to_pylist()
    assert (held["raw"], held["reasons"][0]["message"]) == (b"a,b\xff", "Not UTF-8.")


@pytest.mark.parametrize("layout", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_handler_takes_files_whose_text_is_laid_out_otherwise(
    layout: pa.DataType, store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    table = orders(an_order(), an_order(order_status="lost"))
    fields = [f.with_type(layout) if f.type == pa.string() else f for f in table.schema]
    key = land(store, table, parquet_bytes(table.cast(pa.schema(fields))))
    assert call(an_announcement(key)) == []
    silver, quarantine = outputs(store, ledger, key)
    assert quarantine is not None
    assert read_parquet(silver).column("order_status").to_pylist() == ["delivered"]
    [held] = read_parquet(quarantine).to_pylist()
    assert (held["order_status"], held["reasons"][0]["rule"]) == ("lost", "order_status_known")


def test_fault_11_handler_leaves_a_committed_object_alone(
    store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    key = land(store, orders(an_order()))
    call(an_announcement(key))
    before = outputs(store, ledger, key), reports.balance(ledger)
    assert call(*[an_announcement(key)] * 10) == []
    assert (outputs(store, ledger, key), reports.balance(ledger)) == before


def test_handler_makes_the_same_bytes_again(store: FakeObjectStore, ledger_url: str, ledger: Ledger) -> None:
    """A second ledger that knows nothing: the same object under the same pins gives the same files."""
    table = orders(an_order(), an_order(order_id="x"), an_order(order_approved_at=None))
    key = land(store, table)
    check_message(ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON), an_announcement(key))
    first = outputs(store, ledger, key)
    ledger.read(lambda db: db.run("truncate object, revision, partition_state, void_range"))
    later = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON.replace(year=2031))
    assert check_message(later, an_announcement(key)).what == "committed"
    assert outputs(store, ledger, key) == first


# --- messages


@pytest.mark.parametrize("log", ["emb-1", "load-0123456789abcdef"])
def test_fault_49_handler_takes_keys_raw(
    log: str, store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    """Bronze keys hold `+` and `=`; nothing may be unquoted on the way."""
    table = bronze_table(ORDERS, [an_order()], log=log)
    key = land(store, table, log=log)
    assert "+" in key
    assert call(an_announcement(key)) == []
    assert reports.bronze_keys(ledger) == {key: "committed"}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKETS.bronze}),
        an_announcement("orders/year=2018/month=03/day=04/x", **{"detail-type": "Object Deleted"}),
        an_announcement("x", source="aws.ec2"),
        an_announcement(
            "orders/year=2018/month=03/day=04/emb-1+0+00000000000000000000.parquet", bucket="other"
        ),
        an_announcement(
            "orders/year=2018/month=03/day=04/emb-1+0+00000000000000000000.parquet", BUCKETS.silver
        ),
        an_announcement("orders/_loads/" + "0" * 64 + ".json"),
        an_announcement("_schemas/x.proto"),
        an_announcement("_logs/emb-1.json"),
        an_announcement("orders/year=2018/month=03/day=04/emb-1%2B0%2B00000000000000000000.parquet"),
        an_announcement("orders/year=2018/month=03/day=04/emb-1 0 00000000000000000000.parquet"),
        an_announcement("orders/../orders/year=2018/month=03/day=04/emb-1+0+00000000000000000000.parquet"),
        an_announcement("orders/year=2018/month=02/day=30/emb-1+0+00000000000000000000.parquet"),
        an_announcement("é" * 300 + "'; drop table object; --"),
    ],
)
def test_faults_14_48_49_handler_ignores_what_is_no_bronze_object(
    body: str, ledger: Ledger, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(body) == []
    assert reports.bronze_keys(ledger) == {}
    assert '"MessagesIgnored":[1.0]' in capsys.readouterr().out


@pytest.mark.parametrize(
    "body", ["", "no json", "[]", "null", "{}", '{"source": "aws.s3"}', an_announcement("x", detail={})]
)
def test_handler_gives_back_what_it_cannot_understand_alone(
    body: str, store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    keys = [land(store, orders(an_order(), first=n)) for n in range(9)]
    bodies = [*map(an_announcement, keys[:4]), body, *map(an_announcement, keys[4:])]
    assert call(*bodies) == ["m4"]
    assert set(reports.bronze_keys(ledger).values()) == {"committed"}


def test_handler_counts_what_it_did(
    store: FakeObjectStore,
    call: Call,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = land(store, orders(an_order(), an_order(order_id="x")))
    call(an_announcement(key), an_announcement(key), "poison")
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [metrics] = [line for line in printed if "_aws" in line]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "KeystoneNexus"
    names = ("MessagesCommitted", "MessagesSettled", "MessagesFailed", "RowsToSilver", "RowsToQuarantine")
    assert [sum(metrics[name]) for name in names] == [1, 1, 1, 1, 1]
    [committed] = [vars(record) for record in caplog.records if record.message == "committed"]
    assert (committed["key"], committed["reasons"]) == (key, {"order_id_is_id": 1})
