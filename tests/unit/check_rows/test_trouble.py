"""Stores and ledgers that are away, rules that change, and the end of patience with an object."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.ledger import Ledger, Opened, Pins, reports
from adapters.objects import Stored
from lakehouse.bronze import BronzeMetadata
from lakehouse.errors import LedgerError
from lambdas.check_rows import handler as check_rows
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import FAILED_ATTEMPTS, ObjectCheck
from local.check_runner import LocalContext
from tests.builders.bronze import NOON
from tests.builders.checked import ENTITIES, ORDERS, Call, footer_of, orders, outputs
from tests.builders.messages import BUCKETS, a_batch, an_announcement, land
from tests.builders.rows import (
    an_order,
    metadata_of,
    parquet_bytes,
    read_parquet,
)
from tests.fakes.object_store import FakeObjectStore, StoreThatIsAway


def test_handler_gives_back_messages_while_the_store_is_away(ledger: Ledger) -> None:
    store = StoreThatIsAway()
    key = land(store, orders(an_order()))
    handler = check_rows.build_handler(lambda: ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON))
    store.away = True
    assert len(handler(a_batch(an_announcement(key)), LocalContext())["batchItemFailures"]) == 1
    store.away = False
    assert handler(a_batch(an_announcement(key)), LocalContext())["batchItemFailures"] == []
    assert reports.balance(ledger)["orders"].closed


def test_fault_24_handler_marks_an_object_gone_that_vanished_after_it_was_opened(ledger: Ledger) -> None:
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


def test_fault_24_handler_refuses_an_object_that_was_replaced(
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


def test_fault_72_handler_with_new_rules_writes_the_next_revision(
    store: FakeObjectStore, ledger: Ledger
) -> None:
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


class LedgerThatCannotCommit:
    """Opens, and then the process dies: what N failed attempts look like to the next one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def open_objects(self, *arguments: Any) -> Any:
        return self._ledger.open_objects(*arguments)

    def commit_all(self, *arguments: Any) -> Any:
        raise LedgerError("died here")


def test_fault_18_handler_gives_up_an_object_after_failed_attempts(
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
