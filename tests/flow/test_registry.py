"""The schema registry on a local Glue: ids by definition, definitions by id, and a registry that is away."""

import uuid
from dataclasses import replace
from itertools import count

import pytest

from adapters.registry import SchemaRegistry
from lakehouse.catalog import Entity, load_entities
from lakehouse.errors import RegistryError
from lakehouse.wire import FieldTable, parse_definition
from local.processes import free_port
from tests.fakes.glue import GlueThatDenies, GlueThatFindsVersionsIncompatible

REGION = "us-east-1"
NUMBERS = count()


@pytest.fixture
def name() -> str:
    return f"registry-{next(NUMBERS)}"


@pytest.fixture
def registry(aws_endpoint: str, name: str) -> SchemaRegistry:
    return SchemaRegistry.connect(aws_endpoint, REGION, name)


@pytest.fixture
def orders() -> Entity:
    return load_entities()["orders"]


def test_register_gives_the_same_id_to_everyone(
    registry: SchemaRegistry, aws_endpoint: str, name: str, orders: Entity
) -> None:
    found = registry.register(orders)
    assert str(uuid.UUID(found)) == found
    other = SchemaRegistry.connect(aws_endpoint, REGION, name)
    assert (other.register(orders), other.version_id(orders)) == (found, found)


def test_register_keeps_the_versions_of_one_schema_apart(registry: SchemaRegistry, orders: Entity) -> None:
    later = replace(orders, definition=orders.definition.replace("}", "  optional string note = 90;\n}"))
    first, second = registry.register(orders), registry.register(later)
    assert first != second
    assert registry.definition(first) == orders.definition
    assert registry.definition(second) == later.definition


def test_registered_definition_gives_the_field_table_back(registry: SchemaRegistry) -> None:
    for entity in load_entities().values():
        definition = registry.definition(registry.register(entity))
        assert definition is not None
        assert parse_definition(definition) == FieldTable.of(entity)


def test_version_id_of_an_unregistered_entity_says_what_to_do(
    registry: SchemaRegistry, orders: Entity
) -> None:
    with pytest.raises(RegistryError, match=r"orders\.v1: register it"):
        registry.version_id(orders)


def test_definition_of_an_unknown_id_is_none(registry: SchemaRegistry) -> None:
    assert registry.definition("12345678-1234-4234-8234-123456789012") is None


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_registry_that_denies_is_an_error_and_never_unknown(code: str, orders: Entity) -> None:
    registry = SchemaRegistry(GlueThatDenies(code), "any")
    with pytest.raises(RegistryError, match=code):
        registry.definition("12345678-1234-4234-8234-123456789012")
    with pytest.raises(RegistryError, match=code):
        registry.register(orders)


def test_register_of_an_incompatible_version_says_what_to_do(
    registry: SchemaRegistry, orders: Entity
) -> None:
    registry._glue = GlueThatFindsVersionsIncompatible(registry._glue)
    with pytest.raises(RegistryError, match=r"refuses orders\.v1 .* raise the major version"):
        registry.register(orders)


def test_registry_away_is_an_error_and_never_unknown(orders: Entity) -> None:
    away = SchemaRegistry.connect(f"http://127.0.0.1:{free_port()}", REGION, "any")
    with pytest.raises(RegistryError, match="cannot be asked"):
        away.definition("12345678-1234-4234-8234-123456789012")
    with pytest.raises(RegistryError, match="cannot be asked"):
        away.version_id(orders)
    with pytest.raises(RegistryError, match="cannot be asked"):
        away.register(orders)
