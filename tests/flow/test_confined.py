"""What may kill the process that reads it is read in a child: the child dies, the object is held, the rest goes on."""

import io
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.ledger import Ledger, Opened, reports
from adapters.objects import ObjectGone
from lakehouse.announcements import ObjectCreated
from lakehouse.catalog import load_entities
from lakehouse.paths import BronzeKey
from lakehouse.row_check import CheckPlan
from lambdas.check_rows.batch import Message, check_message, check_messages
from lambdas.check_rows.confinement import DeadlyObject, write_rows_confined
from lambdas.check_rows.limits import LIMITS, Limits
from lambdas.check_rows.object_check import ObjectCheck, Result
from lambdas.check_rows.outputs import make_outputs
from lambdas.check_rows.parquet_footer import UnreadableObject
from lambdas.check_rows.settings import child_environment
from lambdas.check_rows.source import RangedObject
from tests.builders.bronze import NOON
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import an_order, bronze_table, metadata_of, parquet_bytes, read_parquet
from tests.fakes.object_store import FakeObjectStore

ENTITIES = load_entities()
ORDERS = ENTITIES["orders"]
PLAN = CheckPlan(ORDERS)
TABLE = bronze_table(ORDERS, [an_order(), an_order(order_id="x"), an_order(order_approved_at=None)] * 50)
STATUS = TABLE.schema.get_field_index("order_status")


def opened(table: pa.Table = TABLE) -> Opened:
    return Opened(1, metadata_of(table), "e1", ORDERS.version, ORDERS.rules_hash, 0, 1)


def confined(data: bytes, limits: Limits = LIMITS, table: pa.Table = TABLE, clock_s: float = 60) -> Any:
    silver, quarantine = io.BytesIO(), io.BytesIO()
    environment = child_environment({})
    source = RangedObject(len(data), lambda start, length: data[start : start + length])
    outcome = write_rows_confined(
        PLAN, opened(table), source, silver, quarantine, limits, environment, clock_s
    )
    return silver.getvalue(), quarantine.getvalue(), outcome


def bomb(rows: int = 4000, cell: int = 500_000) -> tuple[pa.Table, bytes]:
    """Every figure of it is true: one cell, which every row repeats. 2 GB from a file of some kilobytes."""
    table = bronze_table(ORDERS, [an_order()] * rows)
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * cell]))
    file = io.BytesIO()
    pq.write_table(table.set_column(STATUS, "order_status", texts), file, store_schema=False)
    return table, file.getvalue()


def test_child_writes_the_same_bytes() -> None:
    data = parquet_bytes(TABLE, row_group_size=40)
    wanted = make_outputs(PLAN, opened(), len(data), data)
    assert confined(data) == (wanted.silver, wanted.quarantine, wanted.outcome)


def test_child_says_what_it_cannot_read() -> None:
    with pytest.raises(UnreadableObject, match="does not begin and end with PAR1"):
        confined(b"PAR1" + bytes(100))


def test_fault_29_bomb_kills_the_child_alone() -> None:
    table, data = bomb()
    assert len(data) < 1_000_000
    with pytest.raises(DeadlyObject, match=r"memory|ended"):
        confined(data, table=table)


def test_child_that_takes_too_long_is_killed() -> None:
    with pytest.raises(DeadlyObject, match=f"ended with {-signal.SIGKILL}"):
        confined(parquet_bytes(TABLE), clock_s=0.01)


def test_child_knows_no_account_and_no_address() -> None:
    told = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "s", "NEXUS_LEDGER_URL": "postgresql://x"}
    assert set(child_environment(told)) == {
        "PATH",
        "PYTHONPATH",
        "PYTHONSAFEPATH",
        "ARROW_DEFAULT_MEMORY_POOL",
        "MALLOC_ARENA_MAX",
    }


def test_failing_store_ends_the_child_and_is_no_verdict() -> None:
    def fetch(start: int, length: int) -> bytes:
        raise ObjectGone("it was replaced")

    with pytest.raises(ObjectGone):
        write_rows_confined(
            PLAN,
            opened(),
            RangedObject(1000, fetch),
            io.BytesIO(),
            io.BytesIO(),
            LIMITS,
            child_environment({}),
            60,
        )


# --- through the hop


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def check(store: FakeObjectStore, ledger: Ledger) -> ObjectCheck:
    return ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)


def held(store: FakeObjectStore, ledger: Ledger, key: str) -> tuple[int, dict[str, Any]]:
    """The revision and the only row of an object in Quarantine."""
    state = reports.object_state(ledger, key)
    assert state is not None
    assert state.quarantine_key is not None
    [row] = read_parquet(store.get(BUCKETS.quarantine, state.quarantine_key)).to_pylist()
    return state.revision, row


def test_fault_29_bomb_is_held_and_its_neighbours_pass(
    store: FakeObjectStore, ledger: Ledger, check: ObjectCheck
) -> None:
    table, data = bomb()
    good = land(store, TABLE, log="emb-2")
    bad = land(store, table, data)
    answers = check_messages(check, [Message(an_announcement(bad)), Message(an_announcement(good))])
    assert [answer.what for answer in answers if isinstance(answer, Result)] == ["committed", "committed"]
    revision, row = held(store, ledger, bad)
    assert (revision, row["reasons"][0]["rule"]) == (1, "RESOURCE")
    assert "want of memory or time" in row["reasons"][0]["message"]
    assert reports.balance(ledger)["orders"].closed
    assert store.parts == {}


def test_object_whose_attempt_failed_before_is_read_in_a_child(
    store: FakeObjectStore, ledger: Ledger, check: ObjectCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What brought down the process did so by the object, perhaps."""
    key = land(store, TABLE)
    state = check.see(created(key))
    check.open([state])  # type: ignore[list-item]
    children: list[int] = []
    real = write_rows_confined

    def count(*arguments: Any) -> Any:
        children.append(1)
        return real(*arguments)

    monkeypatch.setattr("lambdas.check_rows.object_check.write_rows_confined", count)
    assert check_message(check, an_announcement(key), receives=2).what == "committed"
    assert children == [1]
    assert reports.balance(ledger)["orders"].closed


def created(key: str) -> ObjectCreated:
    return ObjectCreated(BUCKETS.bronze, key)


def test_fault_63_memory_that_runs_out_in_this_process_is_tried_in_a_child(
    store: FakeObjectStore, ledger: Ledger, check: ObjectCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise pa.ArrowMemoryError("malloc of size 1 failed")

    key = land(store, TABLE)
    monkeypatch.setattr("lambdas.check_rows.object_check.write_rows", fail)
    assert check_message(check, an_announcement(key)).what == "committed"
    assert reports.balance(ledger)["orders"].silver.rows == 100


@pytest.mark.parametrize("when", ["first part", "last part"])
def test_fault_63_attempt_that_fails_while_it_writes_leaves_no_half_file(
    when: str, store: FakeObjectStore, ledger: Ledger, check: ObjectCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without room: whatever was sent is dropped, nothing can be seen, and the next attempt is whole."""
    monkeypatch.setattr("adapters.uploads.PART_BYTES", 2000)
    key = land(store, TABLE, parquet_bytes(TABLE, row_group_size=10))
    full = OSError(28, "No space left on device")

    real: Callable[..., str] = store.put_part

    def put_part(bucket: str, key: str, upload: str, number: int, body: bytes) -> str:
        if when == "first part" or len(body) < 2000:
            raise full
        return real(bucket, key, upload, number, body)

    monkeypatch.setattr(store, "put_part", put_part)
    [answer] = check_messages(check, [Message(an_announcement(key))])
    assert answer is full
    assert store.parts == {}
    assert [*store.keys(BUCKETS.silver, ""), *store.keys(BUCKETS.quarantine, "")] == []
    assert reports.bronze_keys(ledger) == {key: "open"}
    monkeypatch.setattr(store, "put_part", real)
    assert check_message(check, an_announcement(key)).what == "committed"
    assert reports.balance(ledger)["orders"].closed


def test_outputs_in_parts_are_the_same_bytes(
    store: FakeObjectStore, ledger: Ledger, check: ObjectCheck
) -> None:
    """And a large object, read by ranges, has the outputs of a small one."""
    data = parquet_bytes(TABLE, row_group_size=10)
    key = land(store, TABLE, data)
    whole = make_outputs(PLAN, replace(opened(), etag=etag_of(store, key)), len(data), data)
    check.limits = Limits(whole_bytes=1)
    assert check_message(check, an_announcement(key)).what == "committed"
    parsed = BronzeKey.parse(key)
    assert store.get(BUCKETS.silver, parsed.silver(1, 0)) == whole.silver
    assert store.get(BUCKETS.quarantine, parsed.quarantine(1, 0)) == whole.quarantine


def etag_of(store: FakeObjectStore, key: str) -> str:
    found = store.head(BUCKETS.bronze, key)
    assert found is not None
    return found.etag
