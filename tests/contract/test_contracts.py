"""The nine committed contracts: valid by the published standard, compiled as committed, locked as released."""

import json
import shutil
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
    assert len(FILES) == 9


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
    contract = tree / generate.CONTRACTS / "order_items.yaml"
    edit(contract, "physicalType: decimal(10,", "physicalType: decimal(12,")
    assert generate.main([str(tree)]) == 2
    said = capsys.readouterr().err
    assert "order_items.yaml: property" in said
    assert "raise the major version" in said


def test_generator_refuses_a_number_given_twice(tree: Path) -> None:
    lock = tree / generate.CONTRACTS / "orders.lock.json"
    edit(lock, '"number": 11', '"number": 10')
    with pytest.raises(ContractError, match="numbers are given once"):
        generate.compile_tree(tree)


def test_generator_never_gives_a_removed_columns_number_again(tree: Path) -> None:
    file = tree / generate.CONTRACTS / "sellers.yaml"
    document = yaml.safe_load(file.read_text("utf-8"))
    columns = document["schema"][0]["properties"]
    released = {f.number for f in load_entities()["sellers"].fields}
    gone = columns.pop()
    columns.append({**gone, "name": "new_column", "quality": []})
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    assert generate.main([str(tree)]) == 0
    compiled = json.loads((tree / "lakehouse/compiled/sellers.json").read_text("utf-8"))
    numbers = {f["name"]: f["number"] for f in compiled["fields"]}
    assert gone["name"] not in numbers
    assert numbers["new_column"] == max(released) + 1


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
