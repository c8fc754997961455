"""Every kind of difference between lake, ledger and broker is found, and nothing where there is none."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.ledger import Ledger, Pins, SeenObject
from lakehouse.balance import VoidRange
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import load_entities
from lakehouse.closed_log import ClosedLog
from lakehouse.paths import LoadManifestKey, closed_log_key, load_log
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from local.lake_account import LakeAccounts
from local.ledger_check import Difference, compare_objects
from local.ledger_positions import Broker, compare_positions
from local.ledger_remedies import KINDS
from tests.builders.bronze import NOON
from tests.builders.ledger_content import content_of, objects_of
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import a_row, an_order, bronze_table, parquet_bytes
from tests.fakes.ticking_store import TickingStore

ENTITIES = load_entities()
SHA = "0123456789abcdef" * 4
LATER = NOON + timedelta(days=1)


class Site:
    """A lake with two committed objects of one partition, offsets 0 to 8, and its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.store = ledger, TickingStore()
        self.log = "kafka-1"
        self.broker: Broker | None = None
        self.first, self.second = self.land(0, bad=True), self.land(4)
        self.check(self.first, self.second)

    def land(self, first: int, bad: bool = False, **changes: Any) -> str:
        rows = [an_order(**({"order_id": "x"} if bad and n == 1 else {})) for n in range(4)]
        table = bronze_table(ENTITIES["orders"], rows, first=first, log=self.log)
        self.broker = Broker(self.log, {("orders.v1", 0): (0, first + 4)})
        return land(self.store, table, log=self.log, **changes)

    def check(self, *keys: str) -> None:
        hop = ObjectCheck(self.store, self.ledger, BUCKETS, ENTITIES, lambda: NOON)
        for key in keys:
            check_message(hop, an_announcement(key))

    def outputs(self, key: str) -> tuple[str, str]:
        [revision] = objects_of(self.ledger)[key].committed
        return revision.silver_key, revision.quarantine_key

    def run(self, sql: str) -> Any:
        return self.ledger.read(lambda db: db.run(sql))

    def differences(self, young_after: Any = LATER) -> list[Difference]:
        lake = LakeAccounts(self.store, BUCKETS, ENTITIES)
        found = compare_objects(lake, self.ledger, young_after)
        return found.differences + compare_positions(lake, self.ledger, found, self.broker)

    def kinds(self) -> set[str]:
        return {difference.kind for difference in self.differences()}


@pytest.fixture
def site(ledger: Ledger) -> Site:
    return Site(ledger)


def open_without_commit(site: Site) -> None:
    site.run("update object set state = 'open' where first_offset = 4")
    site.run(
        "update revision set state = 'open' where object_id = (select id from object where first_offset = 4)"
    )
    site.run("update partition_state set landed = '{[0,4)}'")


def replace_bronze(site: Site) -> None:
    head = site.store.head(BUCKETS.bronze, site.second)
    assert head is not None
    site.store.put(BUCKETS.bronze, site.second, b"other bytes", head.metadata)


def change_metadata(site: Site) -> None:
    site.run("update object set topic_id = 'another' where first_offset = 4")


def overlap(site: Site) -> None:
    site.check(site.land(6))


def lose_rows_in_the_ledger(site: Site) -> None:
    site.run("update revision set silver_rows = silver_rows - 1")


def lose_and_double_in_the_ledger(site: Site) -> None:
    site.run("update revision set silver_hash_sum = silver_hash_sum - 1")


def put_stranger(site: Site) -> None:
    site.store.put(BUCKETS.bronze, site.second.replace("+0+", "+7+"), b"x", {"rows": "1"})


def write_over_output(site: Site) -> None:
    """Another object's Silver under this one's key."""
    body = site.store.get(BUCKETS.silver, site.outputs(site.first)[0])
    site.store.put(BUCKETS.silver, site.outputs(site.second)[0], body)


def gone(site: Site) -> None:
    site.run("update object set state = 'gone', problem = 'vanished' where first_offset = 4")


def hole(site: Site) -> None:
    site.check(site.land(20))


def close_in_the_lake(site: Site) -> None:
    lost = (VoidRange(site.log, "orders.v1", 0, 8, 12, "broker lost"),)
    note = ClosedLog(site.log, NOON, {("orders.v1", 0): 12}, lost)
    site.store.put(BUCKETS.bronze, closed_log_key(site.log), note.to_text().encode())


def void_in_the_ledger(site: Site) -> None:
    site.run(
        f"insert into void_range values ('{site.log}', 'orders.v1', 0, '[8,12)', 'somebody said so', now())"
    )
    site.broker = Broker(site.log, {("orders.v1", 0): (0, 12)})


def half_a_load(site: Site) -> None:
    table = bronze_table(ENTITIES["products"], [a_row("products")] * 2, all_text=True, log=load_log(SHA))
    site.check(land(site.store, table, entity="products", log=load_log(SHA)))
    site.store.put(BUCKETS.bronze, str(LoadManifestKey("products", SHA)), json.dumps({"records": 3}).encode())


def broker_holds(start: int, end: int) -> Callable[[Site], None]:
    def hold(site: Site) -> None:
        site.broker = Broker(site.log, {("orders.v1", 0): (start, end)})

    return hold


def leave_a_log_open(site: Site) -> None:
    site.ledger.observe_partition("emb-old", "orders.v1", 0, "orders", 0, 0, NOON)


# what was done → the kinds that must be found, and no others
FAULTS: dict[str, tuple[Callable[[Site], object], set[str]]] = {
    "nothing": (lambda site: None, set()),
    "a rebuild broken off": (lambda s: s.run("insert into rebuild (started_at) values (now())"), {"rebuild"}),
    "an object nobody announced": (lambda s: s.land(8), {"unannounced"}),
    "an object never committed": (open_without_commit, {"unchecked"}),
    "an object that is none": (put_stranger, {"stranger"}),
    "Bronze deleted": (lambda s: s.store.delete(BUCKETS.bronze, s.first), {"missing"}),
    "Bronze replaced": (replace_bronze, {"replaced"}),
    "metadata changed": (change_metadata, {"replaced"}),
    "an overlap": (overlap, {"overlap"}),
    "an object gone": (gone, {"gone"}),
    "a row lost in the ledger": (lose_rows_in_the_ledger, {"unbalanced", "output differs"}),
    "a loss and a double that cancel": (lose_and_double_in_the_ledger, {"unbalanced", "output differs"}),
    "Silver deleted": (lambda s: s.store.delete(BUCKETS.silver, s.outputs(s.first)[0]), {"output missing"}),
    "Quarantine deleted": (
        lambda s: s.store.delete(BUCKETS.quarantine, s.outputs(s.first)[1]),
        {"output missing"},
    ),
    "Silver damaged": (
        lambda s: s.store.put(BUCKETS.silver, s.outputs(s.first)[0], b"x"),
        {"output differs"},
    ),
    "Silver swapped": (write_over_output, {"output differs"}),
    "Silver of another ledger's revision": (
        lambda s: s.store.put(BUCKETS.silver, s.outputs(s.second)[0].replace("+r0", "+r3"), b"x"),
        {"output extra"},
    ),
    "Silver of nobody's object": (
        lambda s: s.store.put(BUCKETS.silver, s.outputs(s.second)[0].replace("+0+", "+9+"), b"x"),
        {"stranger"},
    ),
    "landed without an object": (
        lambda s: s.run("update partition_state set landed = landed + '{[8,9)}'") or broker_holds(0, 9)(s),
        {"positions"},
    ),
    "an object not landed": (
        lambda s: s.run("update partition_state set landed = '{[0,4)}'"),
        {"positions"},
    ),
    "a hole": (hole, {"hole"}),
    "not landed yet": (broker_holds(0, 11), {"unlanded"}),
    "dropped before it landed": (broker_holds(10, 11), {"expired", "unlanded"}),
    "a topic made anew": (broker_holds(0, 5), {"another history"}),
    "a log left open": (leave_a_log_open, {"not closed"}),
    "a log closed in the lake": (close_in_the_lake, {"note"}),
    "a void without a note": (void_in_the_ledger, {"void"}),
    "half a load": (half_a_load, {"load"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_check_names_each_difference_and_no_other(site: Site, name: str) -> None:
    spoil, wanted = FAULTS[name]
    spoil(site)
    assert site.kinds() == wanted, site.differences()


def test_check_can_find_every_kind_there_is_a_remedy_for() -> None:
    found = set().union(*(kinds for _, kinds in FAULTS.values()))
    assert found == KINDS.keys() - {"file"}  # what is no object is found in a folder, see test_folder_lake


def test_check_leaves_young_objects_to_their_announcements(site: Site) -> None:
    site.land(8)
    lake = LakeAccounts(site.store, BUCKETS, ENTITIES)
    found = compare_objects(lake, site.ledger, site.store.now - timedelta(seconds=1))
    assert (found.differences, found.young, found.objects) == ([], 1, 3)
    assert {d.kind for d in site.differences()} == {"unannounced"}


def test_check_of_a_lake_at_work_takes_nothing_for_missing(site: Site) -> None:
    """An object lands and is committed after the lake was listed and before the ledger is read."""
    reader, lands = site.store.keys, [lambda: site.check(site.land(8, bad=True))]

    def keys(bucket: str, prefix: str, start_after: str = "") -> Any:
        listed = list(reader(bucket, prefix, start_after))
        if (bucket, prefix) == (BUCKETS.quarantine, "orders/v") and lands:
            lands.pop()()
        return iter(listed)

    site.store.keys = keys  # type: ignore[method-assign]
    assert site.differences() == []
    assert len(objects_of(site.ledger)) == 3


def test_check_without_a_broker_goes_by_what_the_ledger_saw_last(site: Site) -> None:
    site.broker = None
    assert site.differences() == []
    site.ledger.observe_partition(site.log, "orders.v1", 0, "orders", 0, 10, NOON)
    [unlanded] = site.differences()
    assert (unlanded.kind, unlanded.what) == ("unlanded", f"{site.log}/orders.v1/0 offsets 8 to 9")


def test_check_allows_outputs_of_attempts_under_way_and_abandoned(site: Site) -> None:
    key = site.land(8)
    site.ledger.open_object(*_seen(site, key, "0" * 16))
    site.ledger.open_object(*_seen(site, key, "1" * 16))
    for revision in (0, 1):
        silver = str(site.outputs(site.second)[0]).replace(
            "+00000000000000000004+r0", f"+{8:020d}+r{revision}"
        )
        site.store.put(BUCKETS.silver, silver, parquet_bytes(bronze_table(ENTITIES["orders"], [])))
    assert site.kinds() == {"unchecked"}


def _seen(site: Site, key: str, rules: str) -> tuple[Any, ...]:
    head = site.store.head(BUCKETS.bronze, key)
    assert head is not None
    return SeenObject(BronzeMetadata.from_s3(head.metadata), head.etag, head.size), Pins("1.0.0", rules), NOON


def test_check_changes_nothing(site: Site) -> None:
    overlap(site)
    before = content_of(site.ledger)
    assert site.differences()
    assert content_of(site.ledger) == before
