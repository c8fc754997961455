"""The compiled entities: what every process knows, and the way to and from their documents."""

import json

import pytest

from lakehouse.bronze import bronze_schema, quarantine_schema, silver_schema
from lakehouse.catalog import Entity, Kind, WireType, entity_from_json, load_entities
from lakehouse.compilers.glue import glue_columns
from lakehouse.compilers.lock import extend_lock
from lakehouse.compilers.plan import compile_entity, entity_to_json
from lakehouse.contract import parse_contract
from lakehouse.wire import FIRST_COLUMN_NUMBER
from tests.builders.contracts import PRICE_RULE, a_column, a_contract, as_yaml, changed
from tests.differential.contracts import a_contract_of, an_entity_with

KEYS = {
    "category_translation": ("product_category_name",),
    "customers": ("customer_id",),
    "geolocation": (),
    "order_items": ("order_id", "order_item_id"),
    "orders": ("order_id",),
    "payments": ("order_id", "payment_sequential"),
    "products": ("product_id",),
    "reviews": ("review_id", "order_id"),
    "sellers": ("seller_id",),
}


def compiled(document: object = None) -> Entity:
    contract = parse_contract("parcels.yaml", as_yaml(document or a_contract()))
    return compile_entity(contract, extend_lock(contract, None), 7)


def test_catalog_holds_the_shops_nine_entities_with_their_keys() -> None:
    keys = {name: entity.key for name, entity in load_entities().items()}
    assert {name: keys.get(name) for name in KEYS} == KEYS


@pytest.mark.parametrize("name", sorted(KEYS))
def test_compiled_document_round_trip(name: str) -> None:
    entity = load_entities()[name]
    assert entity_from_json(json.loads(entity_to_json(entity))) == entity


@pytest.mark.parametrize("seed", range(8))
def test_compiled_document_round_trip_of_every_kind_of_rule(seed: int) -> None:
    entity = a_contract_of(seed)
    assert entity_from_json(json.loads(entity_to_json(entity))) == entity


def test_compiled_document_says_only_what_a_rule_uses() -> None:
    entity = an_entity_with(
        {"rule": "not_null", "column": "word", "when": {"column": "whole", "present": True}}
    )
    rule = json.loads(entity_to_json(entity))["rules"][-1]
    assert rule["when"] == {"column": "whole", "values": None}
    assert "version" not in rule
    newer = an_entity_with({"rule": "not_null", "column": "word", "version": 2})
    assert json.loads(entity_to_json(newer))["rules"][-1]["version"] == 2
    assert newer.rules_hash != an_entity_with({"rule": "not_null", "column": "word"}).rules_hash


def test_compiled_document_round_trip_of_every_kind_of_column() -> None:
    entity = compiled()
    assert entity_from_json(json.loads(entity_to_json(entity))) == entity
    assert {f.kind for f in entity.fields} == set(Kind)
    assert [f.name for f in entity.fields if f.wire is WireType.INT64] == ["pieces"]


def test_key_follows_positions_not_columns() -> None:
    columns = [
        a_column("a", primaryKey=True, primaryKeyPosition=2),
        a_column("b", primaryKey=True, primaryKeyPosition=1),
    ]
    document = changed("schema.0.properties", columns)
    document["schema"][0].pop("quality")
    assert compiled(document).key == ("b", "a")


def test_field_of_an_unknown_name_is_a_key_error() -> None:
    assert load_entities()["orders"].field("order_id").number == FIRST_COLUMN_NUMBER
    with pytest.raises(KeyError):
        load_entities()["orders"].field("no_such_column")


def test_entity_names_its_topic_after_its_major_version() -> None:
    entity = compiled({**a_contract(), "version": "12.3.4"})
    assert (entity.major, entity.topic) == (12, "parcels.v12")


RULE = "schema.0.properties.2.quality.0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", "1.0.1"),
        (f"{RULE}.severity", "warn"),
        (f"{RULE}.implementation.min", "0.01"),
        (f"{RULE}.description", "The price is below zero."),
        ("schema.0.properties.2.physicalType", "decimal(12,2)"),
        ("schema.0.properties.1.required", True),
        (
            "schema.0.quality",
            [{**PRICE_RULE, "implementation": {"rule": "not_null", "column": "pieces"}, "id": "x"}],
        ),
    ],
)
def test_rules_hash_changes_with_what_outputs_depend_on(path: str, value: object) -> None:
    assert compiled(changed(path, value)).rules_hash != compiled().rules_hash


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema.0.description", "Other words."),
        ("schema.0.properties.1.description", "Other words."),
        ("status", "deprecated"),
    ],
)
def test_rules_hash_stays_when_only_words_change(path: str, value: object) -> None:
    assert compiled(changed(path, value)).rules_hash == compiled().rules_hash


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_layer_has_a_schema_and_glue_columns_of_the_same_names(name: str) -> None:
    entity = load_entities()[name]
    bronze = bronze_schema(entity, all_text=entity.delivery == "batch")
    schemas = {"bronze": bronze, "silver": silver_schema(entity), "quarantine": quarantine_schema(bronze)}
    for layer, columns in glue_columns(entity).items():
        assert [column for column, _ in columns] == schemas[layer].names
        assert len(set(schemas[layer].names)) == len(schemas[layer].names)


def test_glue_types_of_silver_are_those_of_athena() -> None:
    types = dict(glue_columns(compiled())["silver"])
    assert [types[f.name] for f in compiled().fields] == [
        "string",
        "bigint",
        "decimal(10,2)",
        "double",
        "timestamp",
        "timestamp",
    ]
    assert (types["warnings"], types["pos_partition"], types["row_hash"]) == (
        "array<string>",
        "int",
        "bigint",
    )
    held = dict(glue_columns(compiled())["quarantine"])
    assert held["reasons"] == "array<struct<rule:string,column:string,value:string,message:string>>"
    assert held["raw"] == "binary"


def test_bronze_of_a_load_is_all_text() -> None:
    entity = compiled()
    streamed, loaded = bronze_schema(entity, all_text=False), bronze_schema(entity, all_text=True)
    assert (str(streamed.field("pieces").type), str(loaded.field("pieces").type)) == ("int64", "string")
    assert {str(loaded.field(f.name).type) for f in entity.fields} == {"string"}
