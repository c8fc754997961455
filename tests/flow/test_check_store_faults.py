"""S3 that fails in one call: the message comes again, and what was half done is never seen."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from adapters.ledger import Ledger, reports
from lakehouse.catalog import load_entities
from lambdas.check_rows.batch import Message, check_message, check_messages
from lambdas.check_rows.limits import Limits
from lambdas.check_rows.object_check import ObjectCheck
from tests.builders.bronze import NOON
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import an_order, bronze_table, parquet_bytes
from tests.fakes.object_store import FakeObjectStore

ENTITIES = load_entities()
ROWS = [an_order(), an_order(order_id="x")] * 40
CALLS = ("head", "get_range", "put", "start_parts", "put_part", "finish_parts")


class StoreWithOneFault(FakeObjectStore):
    """The n-th of all calls of one kind fails, before or after it was done."""

    def __init__(self, call: str, after: bool, error: Exception) -> None:
        super().__init__()
        self._call, self._after, self._error = call, after, error
        self.failed = False

    def arm(self) -> None:
        real = getattr(self, self._call)

        def fail(*arguments: Any) -> Any:
            if self.failed:
                return real(*arguments)
            self.failed = True
            if self._after:
                real(*arguments)
            raise self._error

        setattr(self, self._call, fail)


ERRORS = {
    "503": ClientError({"Error": {"Code": "SlowDown", "Message": "slow down"}}, "S3"),
    "500": ClientError({"Error": {"Code": "InternalError", "Message": "internal"}}, "S3"),
    "timeout": ConnectTimeoutError(endpoint_url="http://s3"),
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])
@pytest.mark.parametrize("call", CALLS)
def test_faults_21_22_failing_call_of_s3_is_made_up_for_by_the_next_attempt(
    call: str, after: bool, error: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.uploads.PART_BYTES", 10**9 if call == "put" else 3000)
    store = StoreWithOneFault(call, after, ERRORS[error])
    table = bronze_table(ENTITIES["orders"], ROWS)
    key = land(store, table, parquet_bytes(table, row_group_size=16))
    store.arm()
    check = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON, limits=Limits(whole_bytes=1))
    [answer] = check_messages(check, [Message(an_announcement(key))])
    assert answer is ERRORS[error]
    assert store.failed
    assert reports.bronze_keys(ledger).get(key, "open") == "open"
    silver = list(store.keys(BUCKETS.silver, ""))
    assert silver == [] or list(store.keys(BUCKETS.quarantine, "")), "never Silver before Quarantine"
    assert check_message(check, an_announcement(key)).what == "committed"
    balance = reports.balance(ledger)["orders"]
    assert balance.closed
    assert (balance.silver.rows, balance.quarantine.rows) == (40, 40)
    # a part that was begun while the answer was lost is nobody's: the bucket's lifecycle removes it
    assert len(store.parts) <= int(call == "start_parts" and after)


def test_fault_24_object_that_is_replaced_between_two_ranges_is_gone(ledger: Ledger) -> None:
    class StoreThatReplaces(FakeObjectStore):
        reads = 0

        def get_range(self, bucket: str, key: str, etag: str, start: int, length: int) -> bytes:
            self.reads += 1
            if self.reads == 4:
                self.put(bucket, key, b"another")
            return super().get_range(bucket, key, etag, start, length)

    store = StoreThatReplaces()
    table = bronze_table(ENTITIES["orders"], ROWS)
    key = land(store, table, parquet_bytes(table, row_group_size=16))
    check = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON, limits=Limits(whole_bytes=1))
    assert check_message(check, an_announcement(key)).what == "gone"
    assert reports.bronze_keys(ledger) == {key: "gone"}
    assert list(store.keys(BUCKETS.silver, "")) == []
