"""The committed contracts: valid by the published standard, compiled as committed, locked as released."""

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator

from lakehouse.catalog import load_entities
from lakehouse.errors import ContractError
from local import generate
from tests.docs.sources import ROOT

CONTRACTS = ROOT / generate.CONTRACTS
FILES = sorted(CONTRACTS.glob("*.yaml"))


def standard() -> Any:
    """The JSON schema that the standard publishes."""
    package = resources.files("open_data_contract_standard")
    return json.loads((package / "schema.json").read_text("utf-8"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the contracts and of all that is generated from them."""
    for path in [*generate.compile_tree(ROOT), *(file.relative_to(ROOT) for file in FILES)]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) >= 1
    file.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_contract_is_valid_by_the_published_standard(file: Path) -> None:
    schema = standard()
    Draft201909Validator.check_schema(schema)
    errors = Draft201909Validator(schema).iter_errors(yaml.safe_load(file.read_text("utf-8")))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_standard_refuses_what_it_should() -> None:
    document = yaml.safe_load(FILES[0].read_text("utf-8"))
    document["kind"] = "Contract"
    assert list(Draft201909Validator(standard()).iter_errors(document))


def test_every_entity_has_its_contract_and_nothing_else_is_compiled() -> None:
    assert [file.stem for file in FILES] == list(load_entities())
    assert {"orders", "order_items", "sellers"} <= load_entities().keys()


def test_compiled_output_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    code = generate.main([str(ROOT), "--check"])
    assert (code, capsys.readouterr().err) == (0, "")


def test_generator_check_names_what_is_stale_and_writes_nothing(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(tree / generate.CONTRACTS / "orders.yaml", "severity: warn", "severity: error")
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert generate.main([str(tree), "--check"]) == 1
    assert "lakehouse/compiled/orders.json is not what the contracts say" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before
    assert generate.main([str(tree)]) == 0
    assert generate.main([str(tree), "--check"]) == 0


def test_generator_refuses_a_changed_type_of_a_released_column(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(
        tree / generate.CONTRACTS / "order_items.yaml",
        "physicalType: decimal(10,",
        "physicalType: decimal(12,",
    )
    assert generate.main([str(tree)]) == 2
    said = capsys.readouterr().err
    assert "order_items.yaml: property" in said
    assert "raise the major version" in said


def test_generator_refuses_a_number_given_twice(tree: Path) -> None:
    lock = tree / generate.CONTRACTS / "orders.lock.json"
    edit(lock, '"number": 11', '"number": 10')
    with pytest.raises(ContractError, match="numbers are given once"):
        generate.compile_tree(tree)


def change(tree: Path, entity: str, turn: Callable[[dict[str, Any]], object]) -> None:
    """A contract of the tree, turned as a document."""
    file = tree / generate.CONTRACTS / f"{entity}.yaml"
    document = yaml.safe_load(file.read_text("utf-8"))
    turn(document)
    file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")


def add_gift(document: dict[str, Any], **more: Any) -> None:
    """One column more, in front of all others."""
    gift = {"name": "gift", "businessName": "gift", "logicalType": "string", "description": "A gift.", **more}
    document["schema"][0]["properties"].insert(0, gift)


def add_gift_in_next_version(document: dict[str, Any]) -> None:
    """As orders 1.1.0."""
    document["version"] = "1.1.0"
    add_gift(document)


def refusal(tree: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the generator says when it refuses; it must have written nothing."""
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert generate.main([str(tree)]) == 2
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before
    return capsys.readouterr().err


def compiled(tree: Path, name: str) -> dict[str, Any]:
    """A compiled document of the tree."""
    found: dict[str, Any] = json.loads((tree / generate.COMPILED / f"{name}.json").read_text("utf-8"))
    return found


def test_generator_gives_a_new_version_the_next_number_and_keeps_the_former_one(tree: Path) -> None:
    before = compiled(tree, "orders")
    change(tree, "orders", add_gift_in_next_version)
    assert generate.main([str(tree)]) == 0
    now, kept = compiled(tree, "orders"), compiled(tree, "former/orders-1.0.0")
    assert kept == before
    numbers = {f["name"]: f["number"] for f in now["fields"]}
    released = {f["name"]: f["number"] for f in before["fields"]}
    assert numbers == {"gift": max(released.values()) + 1, **released}
    assert json.loads((tree / generate.CONTRACTS / "orders.lock.json").read_text())["versions"] == [
        "1.0.0",
        "1.1.0",
    ]
    assert "versions still taken | 1.0.0" in (tree / "docs/entities/orders.md").read_text()
    assert generate.main([str(tree), "--check"]) == 0


def test_generator_computes_the_hash_of_former_rules_mended_by_hand(tree: Path) -> None:
    change(tree, "orders", add_gift_in_next_version)
    assert generate.main([str(tree)]) == 0
    kept = compiled(tree, "former/orders-1.0.0")
    file = tree / generate.FORMER / "orders-1.0.0.json"
    edit(file, '"severity": "error"', '"severity": "warn"')
    assert generate.main([str(tree), "--check"]) == 1
    assert generate.main([str(tree)]) == 0
    assert compiled(tree, "former/orders-1.0.0")["rules_hash"] != kept["rules_hash"]


def test_generator_refuses_other_columns_under_the_same_version(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(tree, "orders", add_gift)
    said = refusal(tree, capsys)
    assert (
        "orders.yaml: version: 1.0.0 was compiled without gift (text). Raise the version, such as 1.1.0."
        in said
    )
    assert "If 1.0.0 was never released, take back orders.lock.json" in said


def test_generator_refuses_a_version_below_one_that_was_compiled(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(tree, "orders", add_gift_in_next_version)
    assert generate.main([str(tree)]) == 0
    capsys.readouterr()
    change(tree, "orders", lambda document: document.update(version="1.0.5"))
    assert "1.0.5 is older than 1.1.0, which was compiled already. Raise it." in refusal(tree, capsys)


def test_generator_refuses_when_a_former_version_is_lost(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(tree, "orders", add_gift_in_next_version)
    assert generate.main([str(tree)]) == 0
    capsys.readouterr()
    (tree / generate.FORMER / "orders-1.0.0.json").unlink()
    assert "Take lakehouse/compiled/former/orders-1.0.0.json back" in refusal(tree, capsys)


def test_generator_refuses_a_released_column_that_is_gone(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(tree, "sellers", lambda document: document["schema"][0]["properties"].pop())
    assert "sellers.yaml: property seller_state: was released and is gone" in refusal(tree, capsys)


def test_generator_refuses_another_key(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def without_part(document: dict[str, Any]) -> None:
        item = next(p for p in document["schema"][0]["properties"] if p["name"] == "order_item_id")
        del item["primaryKey"], item["primaryKeyPosition"]

    change(tree, "order_items", without_part)
    said = refusal(tree, capsys)
    assert "was released as (order_id, order_item_id) and is now (order_id)" in said
    assert "raise the major version" in said


def test_generator_refuses_a_released_number_given_to_another_column(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock edited by hand: a new column in place of a released one, under its number."""
    lock = tree / generate.CONTRACTS / "orders.lock.json"
    edit(lock, '"order_approved_at"', '"gift"')
    change(tree, "orders", add_gift_in_next_version)
    change(
        tree,
        "orders",
        lambda document: document["schema"][0]["properties"][0].update(logicalType="timestamp"),
    )
    said = refusal(tree, capsys)
    assert (
        "orders.lock.json: order_approved_at: was released in 1.0.0 with the number 14 and has 18 now; 14 is gift's"
        in said
    )
    assert "A released number is never given again. Take the lock file back from the last release" in said


def test_generator_refuses_a_lock_that_was_lost_when_columns_moved(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / generate.CONTRACTS / "orders.lock.json").unlink()
    assert generate.main([str(tree)]) == 0, "the same columns in the same order get the same numbers"
    (tree / generate.CONTRACTS / "orders.lock.json").unlink()
    capsys.readouterr()
    change(tree, "orders", lambda document: document["schema"][0]["properties"].reverse())
    assert "A released number is never given again" in refusal(tree, capsys)


def test_generator_removes_what_no_contract_gives_any_more(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tree / generate.CONTRACTS
    (folder / "sellers.yaml").rename(folder / "sellers.txt")
    assert generate.main([str(tree), "--check"]) == 1
    assert "lakehouse/compiled/sellers.json is not what the contracts say" in capsys.readouterr().err
    assert generate.main([str(tree)]) == 0
    assert not (tree / generate.COMPILED / "sellers.json").exists()
    assert (folder / "sellers.lock.json").exists(), "what was released is never forgotten"
    assert json.loads((tree / generate.EVENT_TAGS).read_text())["sellers"]


def test_generator_gives_a_new_entity_the_next_tag_and_keeps_the_others(tree: Path) -> None:
    folder = tree / generate.CONTRACTS
    text = (folder / "sellers.yaml").read_text("utf-8").replace("name: sellers", "name: couriers")
    (folder / "couriers.yaml").write_text(text.replace("value: Seller", "value: Courier"), "utf-8")
    before = json.loads((folder / "events.lock.json").read_text("utf-8"))
    assert generate.main([str(tree)]) == 0
    after = json.loads((folder / "events.lock.json").read_text("utf-8"))
    assert after == {**before, "couriers": max(before.values()) + 1}
    assert (
        "nexus.v1.Courier couriers" in (tree / "grpc_ingest/proto/nexus/ingest/v1/events.proto").read_text()
    )


def test_generator_refuses_two_entities_with_one_tag(tree: Path) -> None:
    tags = json.loads((tree / generate.EVENT_TAGS).read_text("utf-8"))
    tags["orders"] = tags["sellers"]
    (tree / generate.EVENT_TAGS).write_text(json.dumps(tags), "utf-8")
    with pytest.raises(ContractError, match="numbers are given once"):
        generate.compile_tree(tree)
