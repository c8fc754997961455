"""docs/add-an-entity.md, word by word, in a copy of this repository: from a contract to Silver and Quarantine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.flow.copied_tree import CopiedTree
from tests.flow.nexus import ROOT, Nexus
from tests.flow.told_session import Session, Told, blocks, told

PAGE = ROOT / "docs" / "add-an-entity.md"
STEPS = list(told(PAGE))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> CopiedTree:
    """The copy, with the contract that the page shows."""
    copied = CopiedTree(tmp_path_factory.mktemp("tenth") / "tree")
    [contract] = blocks(PAGE, "yaml")
    copied.contract("coupons").write_text(contract, "utf-8")
    return copied


@pytest.fixture(scope="module")
def walked(tree: CopiedTree) -> Iterator[dict[str, list[str]]]:
    """Told lines that a step of the page did not answer, by the step's command."""
    with Nexus(tree.root / ".nexus", tree.root) as nexus:
        session = Session(tree.root, tree.root.parent / "bin")
        found: dict[str, list[str]] = {}
        for step in STEPS:
            if step.command.startswith("nexus where"):
                nexus.wait_until_checked(step.command.split()[-1])
            found[step.command] = found.get(step.command, []) + session.missing(step)
        yield found


def test_page_of_adding_an_entity_tells_what_happens(walked: dict[str, list[str]]) -> None:
    assert {command: lines for command, lines in walked.items() if lines} == {}
    assert sum(command.startswith("nexus") for command in walked) >= 8, "the page lost its steps"


def test_step_that_tells_what_is_not_so_is_found(tmp_path: Path) -> None:
    """Else the test above proves nothing."""
    session = Session(tmp_path, tmp_path / "bin")
    assert session.missing(Told("echo one; echo two", ["one", "two"])) == []
    assert session.missing(Told("echo one; echo two", ["two", "one"])) == ["one"]
    assert session.missing(Told("echo one", ["three"])) == ["three"]


def rows(tree: CopiedTree, layer: str) -> list[dict[str, Any]]:
    """All rows of the entity in a layer, by their code."""
    files = (tree.root / ".nexus" / "lake" / f"olist-data-lake-{layer}").rglob("*.parquet")
    found = [
        row
        for file in files
        if "/coupons/" in str(file)
        for row in pq.ParquetFile(file).read(use_threads=False).to_pylist()
    ]
    return sorted(found, key=lambda row: str(row["coupon_code"]))


def test_tenth_entity_is_in_silver_or_quarantine(tree: CopiedTree, walked: dict[str, list[str]]) -> None:
    good, bad = rows(tree, "silver"), rows(tree, "quarantine")
    assert [(r["coupon_code"], str(r["discount"]), r["uses"]) for r in good] == [
        ("SPRING", "5.00", None),
        ("WELCOME10", "10.00", 100),
    ]
    assert [(r["coupon_code"], [reason["rule"] for reason in r["reasons"]]) for r in bad] == [
        ("FREE", ["discount_above_zero"]),
        ("SUMMER", ["valid_until_readable"]),
    ]
    assert len(rows(tree, "bronze")) == 4


GENERATED = """
import json
from lakehouse.catalog import load_entities
from lakehouse.compilers.glue import glue_columns
from stacks.schema_history import published
entity = load_entities()["coupons"]
print(json.dumps({
    "topic": entity.topic,
    "rules": [rule.id for rule in entity.rules],
    "silver": glue_columns(entity)["silver"][:5],
    "published": [version.version for version in published(entity)],
    "numbers": {field.name: field.number for field in entity.fields},
}))
"""


def test_tenth_entity_has_all_that_is_generated(tree: CopiedTree, walked: dict[str, list[str]]) -> None:
    assert json.loads(tree.python(GENERATED)) == {
        "topic": "coupons.v1",
        "rules": [
            "coupon_code_present",
            "discount_present",
            "discount_readable",
            "discount_above_zero",
            "uses_readable",
            "valid_until_readable",
        ],
        "silver": [
            ["coupon_code", "string"],
            ["discount", "decimal(10,2)"],
            ["uses", "bigint"],
            ["valid_until", "timestamp"],
            ["campaign", "string"],
        ],
        "published": ["1.0.0", "1.1.0"],
        "numbers": {"coupon_code": 10, "discount": 11, "uses": 12, "valid_until": 13, "campaign": 14},
    }
    registry = json.loads((tree.root / ".nexus" / "registry.json").read_text())
    [schema] = [
        s for known in registry.values() for name, s in known["schemas"].items() if name == "coupons.v1"
    ]
    assert "optional string discount = 11;" in schema["versions"][0]["definition"]
    assert tree.check() == ""
    assert tree.generate() == "", "a second run writes nothing"


def test_tenth_entity_is_a_source_and_a_model_of_dbt(tree: CopiedTree, walked: dict[str, list[str]]) -> None:
    listed = tree.python(
        "import sys; from dbt.cli.main import dbtRunner\n"
        "ends = dbtRunner().invoke(['ls', '--quiet', '--project-dir', 'dbt', '--profiles-dir', 'dbt',"
        " '--select', 'source:silver.coupons+', '--target-path', sys.argv[1], '--log-path', sys.argv[1]])\n"
        "sys.exit(not ends.success)",
        str(tree.root.parent / "dbt"),
    )
    assert "source:keystone_nexus.silver.coupons" in listed
    assert "stg_coupons" in listed


def test_tenth_entity_keeps_its_released_numbers(tree: CopiedTree, walked: dict[str, list[str]]) -> None:
    """A lock edited by hand gives a released number to another column: refused with the remedy, nothing written."""
    lock = tree.contract("coupons").with_name("coupons.lock.json")
    released = lock.read_text("utf-8")
    document = json.loads(released)
    document["fields"]["campaign"]["number"], document["fields"]["uses"]["number"] = 12, 14
    lock.write_text(json.dumps(document), "utf-8")
    said = tree.generate(code=2)
    assert (
        "coupons.lock.json: uses: was released in 1.0.0 with the number 12 and has 14 now; 12 is campaign's"
        in said
    )
    assert "A released number is never given again. Take the lock file back from the last release" in said
    assert json.loads(lock.read_text("utf-8")) == document
    lock.write_text(released, "utf-8")
    assert tree.generate() == ""
