"""Published schema definitions: written once, in order, never changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse.catalog import Entity, load_entities
from lakehouse.errors import ContractError
from stacks.schema_history import publish, published

ORDERS = load_entities()["orders"]


@pytest.mark.parametrize("entity", load_entities().values(), ids=lambda entity: entity.name)
def test_published_knows_what_the_contracts_say_now(entity: Entity) -> None:
    assert published(entity)[-1].definition == entity.definition


def test_publish_keeps_every_version_in_order(tmp_path: Path) -> None:
    versions = ["1.2.0", "1.9.0", "1.10.0"]
    for version in versions:
        newer = replace(ORDERS, version=version, definition=f"// {version}\n")
        assert [path.stem for path in publish([newer], tmp_path)] == [version]
        assert publish([newer], tmp_path) == []
    assert [one.version for one in published(newer, tmp_path)] == versions


def test_publish_refuses_another_definition_under_a_published_version(tmp_path: Path) -> None:
    publish([ORDERS], tmp_path)
    changed = replace(ORDERS, definition=ORDERS.definition + "// a word more\n")
    with pytest.raises(ContractError, match="Raise the version"):
        publish([changed], tmp_path)
    assert published(ORDERS, tmp_path)[0].definition == ORDERS.definition


def test_published_refuses_a_version_that_nobody_published(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"python -m stacks\.schema_history"):
        published(ORDERS, tmp_path)


def test_published_refuses_a_file_that_is_no_version(tmp_path: Path) -> None:
    publish([ORDERS], tmp_path)
    (tmp_path / ORDERS.topic / "newest.proto").write_text("", "utf-8")
    with pytest.raises(ContractError, match="is no version"):
        published(ORDERS, tmp_path)
