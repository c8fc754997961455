"""The check Lambda as SQS calls it: which messages it takes, what it writes, what it gives back."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.ledger import Ledger, Opened, Pins, reports
from adapters.objects import Stored
from lakehouse.balance import Amount
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import load_entities
from lakehouse.errors import LakeError, LedgerError, SettingsError
from lakehouse.footer import OutputFooter
from lakehouse.identity import hash_sum
from lambdas.check_rows import handler as check_rows
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import FAILED_ATTEMPTS, ObjectCheck
from lambdas.check_rows.settings import Settings
from local.check_runner import LocalContext
from tests.builders.bronze import NOON
from tests.builders.messages import BUCKETS, a_batch, an_announcement, land
from tests.builders.rows import (
    a_raw_row,
    a_row,
    an_order,
    bronze_table,
    metadata_of,
    parquet_bytes,
    read_parquet,
)
from tests.fakes.object_store import FakeObjectStore, StoreThatIsAway

ENTITIES = load_entities()
ORDERS = ENTITIES["orders"]
ROOT = Path(__file__).parents[2]
Call = Callable[..., list[str]]


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def check(store: FakeObjectStore, ledger: Ledger) -> ObjectCheck:
    return ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)


@pytest.fixture
def call(check: ObjectCheck) -> Call:
    """Calls the handler with these bodies; the ids of the messages it gives back."""
    handler = check_rows.build_handler(lambda: check)

    def run(*bodies: str, receives: int = 1) -> list[str]:
        answer = handler(a_batch(*bodies, receives=receives), LocalContext())
        return [item["itemIdentifier"] for item in answer["batchItemFailures"]]

    return run


def orders(*rows: dict[str, Any], first: int = 0) -> pa.Table:
    return bronze_table(ORDERS, list(rows), first)


def outputs(store: FakeObjectStore, ledger: Ledger, key: str) -> tuple[bytes, bytes | None]:
    state = reports.object_state(ledger, key)
    assert state is not None
    assert state.state == "committed"
    held = state.quarantine_key
    [silver] = state.silver_keys
    return store.get(BUCKETS.silver, silver), None if held is None else store.get(BUCKETS.quarantine, held)


def footer_of(data: bytes) -> OutputFooter:
    return OutputFooter.from_parquet(pq.read_metadata(pa.BufferReader(data)).metadata)


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


def test_handler_leaves_a_committed_object_alone(store: FakeObjectStore, ledger: Ledger, call: Call) -> None:
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
def test_handler_takes_keys_raw(log: str, store: FakeObjectStore, ledger: Ledger, call: Call) -> None:
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
def test_handler_ignores_what_is_no_bronze_object(
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


# --- objects that are not as they should be


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
def test_handler_holds_an_unreadable_object_whole(
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


def test_handler_survives_a_flip_of_any_byte(store: FakeObjectStore, ledger: Ledger, call: Call) -> None:
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


# --- trouble


def test_handler_gives_back_messages_while_the_store_is_away(ledger: Ledger) -> None:
    store = StoreThatIsAway()
    key = land(store, orders(an_order()))
    handler = check_rows.build_handler(lambda: ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON))
    store.away = True
    assert len(handler(a_batch(an_announcement(key)), LocalContext())["batchItemFailures"]) == 1
    store.away = False
    assert handler(a_batch(an_announcement(key)), LocalContext())["batchItemFailures"] == []
    assert reports.balance(ledger)["orders"].closed


def test_handler_marks_an_object_gone_that_vanished_after_it_was_opened(ledger: Ledger) -> None:
    class StoreThatForgets(FakeObjectStore):
        def head(self, bucket: str, key: str) -> Stored | None:
            found = super().head(bucket, key)
            self.delete(bucket, key)
            return found

    store = StoreThatForgets()
    key = land(store, orders(an_order()))
    check = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)
    assert check_message(check, an_announcement(key)).what == "gone"
    assert reports.bronze_keys(ledger) == {key: "gone"}
    assert check_message(check, an_announcement(key)).what == "gone"


def test_handler_refuses_an_object_that_was_replaced(
    store: FakeObjectStore, ledger: Ledger, check: ObjectCheck
) -> None:
    first, second = orders(an_order()), orders(an_order(order_status="created"))
    key = land(store, first)
    pins = Pins(ORDERS.version, "0" * 16)
    head = store.head(BUCKETS.bronze, key)
    assert head is not None
    check._ledger.open_object(seen_of(head), pins, NOON)
    store.put(BUCKETS.bronze, key, parquet_bytes(second), metadata_of(second).to_s3())
    with pytest.raises(LedgerError, match="Bronze objects never change"):
        check_message(check, an_announcement(key))


def seen_of(head: Stored) -> Any:
    from adapters.ledger import SeenObject

    return SeenObject(BronzeMetadata.from_s3(head.metadata), head.etag, head.size)


def test_handler_says_overlap_loudly(
    store: FakeObjectStore, ledger: Ledger, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    call(an_announcement(land(store, orders(an_order(), an_order()))))
    rival = land(store, orders(an_order(), first=1))
    assert call(an_announcement(rival)) == []
    assert reports.bronze_keys(ledger)[rival] == "overlap"
    assert '"MessagesOverlap":[1.0]' in capsys.readouterr().out


def test_handler_with_new_rules_writes_the_next_revision(store: FakeObjectStore, ledger: Ledger) -> None:
    """An attempt under old rules that was cut off counts for nothing."""
    key = land(store, orders(an_order(order_id="x")))
    old = replace(ORDERS, rules=(), rules_hash="0" * 16)
    head = store.head(BUCKETS.bronze, key)
    assert head is not None
    ledger.open_object(seen_of(head), Pins(old.version, old.rules_hash), NOON)
    check = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)
    result = check_message(check, an_announcement(key))
    assert (result.what, result.revision) == ("committed", 1)
    assert "+r1.parquet" in footer_of(outputs(store, ledger, key)[0]).silver_key


# --- giving up


class LedgerThatCannotCommit:
    """Opens, and then the process dies: what N failed attempts look like to the next one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def open_objects(self, *arguments: Any) -> Any:
        return self._ledger.open_objects(*arguments)

    def commit_all(self, *arguments: Any) -> Any:
        raise LedgerError("died here")


def test_handler_gives_up_an_object_after_failed_attempts(
    store: FakeObjectStore, ledger: Ledger, call: Call
) -> None:
    table = orders(an_order(), an_order())
    key = land(store, table)
    dying: Any = LedgerThatCannotCommit(ledger)
    failing = ObjectCheck(store, dying, BUCKETS, ENTITIES, lambda: NOON)
    for receive in range(1, FAILED_ATTEMPTS + 1):
        with pytest.raises(LedgerError):
            check_message(failing, an_announcement(key), receive)
    assert call(an_announcement(key), receives=FAILED_ATTEMPTS + 1) == []
    silver, quarantine = outputs(store, ledger, key)
    assert quarantine is not None
    [row] = read_parquet(quarantine).to_pylist()
    assert "Every attempt to check it failed" in row["reasons"][0]["message"]
    footer = footer_of(silver)
    assert (footer.revision, footer.rules_hash, footer.silver.rows) == (1, f"unread-{ORDERS.rules_hash}", 0)
    assert reports.balance(ledger)["orders"].closed
    assert reports.abandoned_outputs(ledger, NOON.replace(year=2019)) == [(key, 0)]


def test_handler_does_not_give_up_for_doubled_messages_or_for_bystanders(
    store: FakeObjectStore, ledger: Ledger, check: ObjectCheck
) -> None:
    """Opened often but received once; received often but never opened: neither is a failed attempt."""
    doubled, bystander = land(store, orders(an_order())), land(store, orders(an_order(), first=1))
    head = store.head(BUCKETS.bronze, doubled)
    assert head is not None
    for _ in range(20):
        opened = ledger.open_object(seen_of(head), Pins(ORDERS.version, ORDERS.rules_hash), NOON)
    assert isinstance(opened, Opened)
    assert check_message(check, an_announcement(doubled), receives=1).revision == 0
    assert check_message(check, an_announcement(bystander), receives=5).revision == 0


# --- imports and settings of the function


def test_handler_imports_nothing_that_the_lambda_does_not_have() -> None:
    """Native code only from the managed layer (numpy, pyarrow); the rest is pure Python in the asset."""
    command = (
        "import sys, lambdas.check_rows.handler; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    environment = {"PATH": os.defpath, "AWS_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"pyarrow", "aws_lambda_powertools", "pg8000"} <= loaded
    assert not loaded & {
        "pydantic",
        "pandas",
        "yaml",
        "duckdb",
        "moto",
        "grpc",
        "confluent_kafka",
        "google",
        "local",
    }


@pytest.mark.parametrize("name", ["NEXUS_BUCKET_PREFIX", "NEXUS_LEDGER_URL", "AWS_REGION"])
def test_settings_name_what_is_missing(name: str) -> None:
    whole = {"NEXUS_BUCKET_PREFIX": "olist", "NEXUS_LEDGER_URL": "postgresql://x", "AWS_REGION": "us-east-1"}
    assert Settings.from_env(whole).endpoint is None
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({k: v for k, v in whole.items() if k != name})
