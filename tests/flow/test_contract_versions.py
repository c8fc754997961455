"""A contract's version is raised under a running shop: old clients and new ones, old Bronze, an emptied registry."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grpc_ingest.client import IngestClient
from grpc_ingest.events import EventError
from lakehouse.catalog import load_entities
from lakehouse.paths import schema_definition_key
from lakehouse.wire import FieldTable, parse_definition
from tests.builders.rows import an_order
from tests.flow.copied_tree import CopiedTree
from tests.flow.nexus import Nexus

ORDERS = load_entities()["orders"]
VALID = {field.name: an_order()[field.name] for field in ORDERS.fields}
CHANNEL = {
    "name": "sales_channel",
    "businessName": "sales channel",
    "logicalType": "string",
    "required": True,
    "description": "Where it was sold.",
}
NOTE = {
    "name": "gift_note",
    "businessName": "gift note",
    "logicalType": "string",
    "description": "A card's text.",
}

# A new client is one that runs on the tree whose contract was raised.
NEW_CLIENT = """
import json, sys
from grpc_ingest.client import IngestClient
results = []
with IngestClient.connect(sys.argv[1], "new-shop", on_results=results.extend) as client:
    for event_id, columns in json.loads(sys.argv[2]).items():
        client.send("orders", columns, 1_700_000_000_000_000, event_id=event_id)
print(json.dumps([[r.event_id, r.refusal and r.refusal.message] for r in results]))
"""


@dataclass
class Raised:
    """The lake after both runs, stopped."""

    tree: CopiedTree
    nexus: Nexus
    refused: list[Any]

    def rows(self, layer: str) -> dict[str, dict[str, Any]]:
        """Rows of orders by the event's name, from the files of the lake."""
        files = (self.nexus.lake / "lake" / f"olist-data-lake-{layer}" / "orders").rglob("*.parquet")
        found = [row for file in files for row in pq.ParquetFile(file).read(use_threads=False).to_pylist()]
        assert len({row["event_id"] for row in found}) == len(found), "each event once"
        return {row["event_id"]: row for row in found}

    def definition(self, registry_id: str) -> FieldTable:
        """What the lake keeps for an id, without any registry."""
        path = self.nexus.lake / "lake" / "olist-data-lake-bronze" / schema_definition_key(registry_id)
        found = parse_definition(path.read_text("utf-8"))
        assert isinstance(found, FieldTable)
        return found


def send_as_old_client(nexus: Nexus, *event_ids: str) -> None:
    """By the client of this tree, whose contract is 1.0.0."""
    with IngestClient.connect(nexus.json("status")["grpc_address"], "old-shop") as client:
        for event_id in event_ids:
            client.send("orders", VALID, 1_700_000_000_000_000, event_id=event_id)
        with pytest.raises(EventError, match=r"orders\.sales_channel is no column"):
            client.send("orders", {**VALID, "sales_channel": "web"}, 1_700_000_000_000_000)
        assert client.flush(30)
        assert (client.counts.acknowledged, client.counts.refused) == (len(event_ids), 0)


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raised]:
    """Orders 1.0.0, then 1.1.0 with a required and an optional column more, on one lake."""
    place = tmp_path_factory.mktemp("versions")
    tree = CopiedTree(place / "tree")
    with Nexus(place / "lake", tree.root) as nexus:
        nexus.run("up")
        send_as_old_client(nexus, "before")
        nexus.run("down")
        tree.change("orders", "1.1.0", CHANNEL, NOTE)
        tree.generate()
        (nexus.lake / "registry.json").unlink()  # every id is another one from here on
        nexus.run("up")
        send_as_old_client(nexus, "old")
        new = {
            "new": {**VALID, "sales_channel": "web", "gift_note": "Parabéns"},
            "without-channel": VALID,
        }
        told = tree.python(NEW_CLIENT, nexus.json("status")["grpc_address"], json.dumps(new))
        file = place / "orders.csv"
        file.write_text(",".join(VALID) + "\n" + ",".join(VALID.values()) + "\n")
        nexus.run("load", "orders", str(file))
        nexus.run("down")
        yield Raised(tree, nexus, [r for r in json.loads(told) if r[1]])


def test_events_of_both_versions_arrive(raised: Raised) -> None:
    assert raised.refused == []
    assert raised.nexus.json("ledger")["closed"]
    [loaded] = raised.rows("bronze").keys() - {"before", "old", "new", "without-channel"}
    silver = raised.rows("silver")
    assert {key: (r["contract_version"], r.get("sales_channel")) for key, r in silver.items()} == {
        "before": ("1.0.0", None),
        "old": ("1.0.0", None),
        "new": ("1.1.0", "web"),
        loaded: ("1.0.0", None),
    }
    assert silver["new"]["gift_note"] == "Parabéns"


def test_fault_72_each_row_is_judged_by_the_version_it_was_written_with(raised: Raised) -> None:
    """The new column is required: of those that wrote 1.1.0 alone."""
    [(event_id, held)] = raised.rows("quarantine").items()
    assert (event_id, held["judged_by"]) == ("without-channel", "1.1.0")
    assert [reason["rule"] for reason in held["reasons"]] == ["sales_channel_present"]


def test_host_stamps_the_registry_id_of_each_version(raised: Raised) -> None:
    ids = {key: row["registry_id"] for key, row in raised.rows("bronze").items() if row["registry_id"]}
    assert ids["new"] == ids["without-channel"]
    assert len({ids["before"], ids["old"], ids["new"]}) == 3, "the registry was emptied between the first two"
    registry = json.loads((raised.nexus.lake / "registry.json").read_text("utf-8"))
    [orders] = [
        s for known in registry.values() for name, s in known["schemas"].items() if name == "orders.v1"
    ]
    assert [version["id"] for version in orders["versions"]] == [ids["old"], ids["new"]]


def test_old_bronze_is_readable_without_the_registry(raised: Raised) -> None:
    bronze = raised.rows("bronze")
    before, new = (raised.definition(bronze[key]["registry_id"]) for key in ("before", "new"))
    assert before == FieldTable.of(ORDERS)
    assert [field.name for field in new.columns] == [*VALID, "sales_channel", "gift_note"]
    assert {number: new.fields[number] for number in before.fields} == before.fields


def test_silver_of_both_versions_is_one_relation(raised: Raised, tmp_path: Path) -> None:
    """As the model reads it, though files written before 1.1.0 lack its columns."""
    import duckdb

    files = raised.nexus.lake / "lake" / "olist-data-lake-silver" / "orders" / "v1"
    with duckdb.connect() as db:
        found = db.execute(
            "select sales_channel, count(*) from read_parquet(?, union_by_name = true) group by 1 order by 2",
            [f"{files}/**/*.parquet"],
        ).fetchall()
    assert found == [("web", 1), (None, 3)]
