"""Gold after a replay is Gold built in full: rows that moved late find their month, and replace only what is older."""

from pathlib import Path
from typing import Any

from adapters.ledger import Ledger, reports
from lakehouse.catalog import load_entities
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from lambdas.requeue_quarantine.request import Request
from lambdas.requeue_quarantine.requeue import Requeue
from local.gold import query, read_published
from local.model import refresh_gold
from tests.builders.bronze import NOON, NOON_MS
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import a_row, an_order, bronze_table
from tests.fakes.folder_store import FolderStore
from tests.fakes.object_store import FakeObjectStore

ENTITIES = load_entities()
DAY_US = 86_400_000_000


def an_id(number: int) -> str:
    return f"{number:032x}"


def build(
    root: Path, store: FakeObjectStore, ledger: Ledger, name: str, full: bool
) -> dict[str, list[tuple[Any, ...]]]:
    """Gold of what is committed, table by table."""
    files: dict[str, list[Path]] = {}
    for entity, keys in reports.committed_silver(ledger).items():
        for key in keys:
            path = root / "silver" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.get(BUCKETS.silver, key))
            files.setdefault(entity, []).append(path)
    refresh_gold(
        files, root / "model", FolderStore(root), BUCKETS.gold, name, NOON, lambda *_: None, full=full
    )
    published = read_published(root, BUCKETS.gold)
    assert published is not None
    return {table: query(root, BUCKETS.gold, f"from {table} order by all").rows for table in published.tables}


def test_gold_after_a_replay_equals_gold_in_full(ledger: Ledger, tmp_path: Path) -> None:
    """Order 2 moves late into February; order 1's held version is older than the one in Gold; order 3's is newer."""
    store = FakeObjectStore()
    held = {"order_status": "lost"}
    february = {
        "order_purchase_timestamp": "2018-02-01 10:00:00",
        "order_approved_at": "2018-02-01 11:00:00",
        "order_delivered_carrier_date": "2018-02-02 10:00:00",
        "order_delivered_customer_date": "2018-02-03 10:00:00",
    }
    now = NOON_MS * 1000
    orders = [
        an_order(order_id=an_id(1), event_id="e0"),
        an_order(order_id=an_id(1), event_id="e1", occurred_at=now - DAY_US, **held),
        an_order(order_id=an_id(2), event_id="e2", **held, **february),
        an_order(order_id=an_id(3), event_id="e3", occurred_at=now - DAY_US),
        an_order(order_id=an_id(3), event_id="e4", **held, **february),
    ]
    payments = [a_row("payments", order_id=an_id(n), event_id=f"p{n}") for n in (1, 2, 3)]
    keys = [
        land(store, bronze_table(ENTITIES["orders"], orders)),
        land(store, bronze_table(ENTITIES["payments"], payments), entity="payments"),
    ]
    check = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)
    assert [check_message(check, an_announcement(key)).what for key in keys] == ["committed"] * 2
    before = build(tmp_path / "grown", store, ledger, "b1", full=False)
    edits = "orders/_edits/a.csv"
    text = "event_id,order_status\ne1,canceled\ne2,delivered\ne4,delivered\n"
    store.put(BUCKETS.quarantine, edits, text.encode(), {"by": "ana"})
    requeue = Requeue(store, ledger, BUCKETS, ENTITIES, lambda: NOON)
    assert requeue.run(Request("orders", "replay", edits=edits)).passing == 3
    after = build(tmp_path / "grown", store, ledger, "b2", full=False)
    assert after == build(tmp_path / "anew", store, ledger, "b1", full=True)
    assert after["fact_payments"] != before["fact_payments"]
    status = query(
        tmp_path / "grown", BUCKETS.gold, "select order_id, order_status from fact_payments order by 1"
    )
    assert [row[1] for row in status.rows] == ["delivered"] * 3
