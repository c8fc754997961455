"""Contracts are refused for what we could not honour, and each complaint names file, place and remedy."""

from typing import Any

import pytest

from lakehouse.catalog import Condition, Kind, Rule
from lakehouse.compilers.lock import extend_lock
from lakehouse.contract import Contract, parse_contract
from lakehouse.errors import ContractError
from tests.builders.contracts import PRICE_RULE, REMOVED, a_column, a_contract, as_yaml, changed

FILE = "parcels.yaml"
TABLE = "schema.0"
COLUMN = f"{TABLE}.properties.2"  # price, a decimal(10,2)
RULE = f"{COLUMN}.quality.0"
BODY = f"{RULE}.implementation"
ACROSS = f"{TABLE}.quality.0.implementation"
PLACE_OF_RULE = "schema[0].properties[2].quality[0]"


def parse(document: Any) -> Contract:
    return parse_contract(FILE, as_yaml(document))


def rule_with(implementation: dict[str, Any], column: int = 2) -> dict[str, Any]:
    rule = {**PRICE_RULE, "id": "made_up", "implementation": implementation}
    return changed(f"{TABLE}.properties.{column}.quality", [rule])


def refused(document: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        parse(document)
    return caught.value


def test_contract_reads_columns_in_order() -> None:
    found = parse(a_contract())
    assert (found.name, found.version, found.message, found.delivery) == (
        "parcels",
        "1.0.0",
        "Parcel",
        "stream",
    )
    assert [(c.name, c.kind) for c in found.columns] == [
        ("parcel_id", Kind.TEXT),
        ("pieces", Kind.INT64),
        ("price", Kind.DECIMAL),
        ("latitude", Kind.DOUBLE),
        ("sent_at", Kind.TIMESTAMP),
        ("received_at", Kind.TIMESTAMP),
    ]
    assert (found.columns[2].precision, found.columns[2].scale) == (10, 2)
    assert [c.key_position for c in found.columns] == [1, None, None, None, None, None]


def test_contract_adds_the_rules_of_types_before_the_written_ones() -> None:
    assert [rule.id for rule in parse(a_contract()).rules] == [
        "parcel_id_present",
        "pieces_readable",
        "price_readable",
        "price_in_range",
        "latitude_readable",
        "sent_at_readable",
        "received_at_readable",
        "received_after_sent",
    ]


def test_contract_reads_a_condition() -> None:
    document = rule_with({"rule": "not_null", "when": {"column": "parcel_id", "in": ["a", "b"]}})
    rule = next(r for r in parse(document).rules if r.id == "made_up")
    assert rule == Rule(
        "made_up",
        "not_null",
        "price",
        "error",
        "The price is negative.",
        "accuracy",
        when=Condition("parcel_id", ("a", "b")),
    )


# path, value → place and problem in the message
REFUSALS = [
    ("apiVersion", "v3.0.0", "apiVersion", "v3.1.0"),
    ("kind", "Contract", "kind", "DataContract"),
    ("status", "live", "status", "active"),
    ("version", "1.0", "version", "1.0.0"),
    ("version", "0.9.0", "version", "Start at 1.0.0"),
    ("version", REMOVED, "version", "is missing"),
    ("name", "Parcels", "name", "lower-case"),
    ("nmae", "x", "nmae", "not a key read here"),
    ("customProperties", [], "customProperties", "lacks"),
    ("customProperties.0.value", "parcel", "customProperties[0].value", "CamelCase"),
    ("customProperties.1.value", "file", "customProperties[1].value", "stream, batch"),
    ("schema", [], "schema", "holds 0 objects"),
    ("schema", "parcels", "schema", "not a list"),
    ("schema.0", "parcels", "schema[0]", "not a mapping"),
    (f"{TABLE}.name", "parcel", "schema[0].name", "parcels"),
    (f"{TABLE}.description", " ", "schema[0].description", "Write a text"),
    (f"{TABLE}.dataGranularityDescription", REMOVED, "schema[0].dataGranularityDescription", "is missing"),
    (f"{TABLE}.properties.1.name", "parcel_id", "schema[0].properties[1].name", "stands twice"),
    (f"{TABLE}.properties.1.name", "event_id", "schema[0].properties[1].name", "column of the lake itself"),
    (f"{TABLE}.properties.0.primaryKeyPosition", 2, "schema[0].properties", "key positions [2]"),
    (f"{TABLE}.properties.0.required", "true", "schema[0].properties[0].required", "without quotes"),
    (f"{TABLE}.properties.0.primaryKey", "yes", "schema[0].properties[0].primaryKey", "without quotes"),
    (
        f"{TABLE}.properties.0.classification",
        "Personal",
        "schema[0].properties[0].classification",
        "personal",
    ),
    (f"{TABLE}.properties.0.requried", True, "schema[0].properties[0].requried", "not a key read here"),
    (f"{COLUMN}.logicalType", "date", "schema[0].properties[2].logicalType", "timestamp"),
    (f"{COLUMN}.physicalType", REMOVED, "schema[0].properties[2].physicalType", "is missing"),
    (f"{COLUMN}.physicalType", "decimal(10)", "schema[0].properties[2].physicalType", "decimal(10,2)"),
    (f"{COLUMN}.physicalType", "decimal(39,2)", "schema[0].properties[2].physicalType", "does not exist"),
    (f"{COLUMN}.physicalType", "decimal(2,3)", "schema[0].properties[2].physicalType", "does not exist"),
    (f"{RULE}.id", "price_readable", "schema[0]", "two rules called price_readable"),
    (f"{RULE}.id", "received_after_sent", "schema[0]", "two rules called received_after_sent"),
    (f"{RULE}.type", "library", f"{PLACE_OF_RULE}.type", "custom"),
    (f"{RULE}.engine", "soda", f"{PLACE_OF_RULE}.engine", "keystone-nexus"),
    (f"{RULE}.severity", "fatal", f"{PLACE_OF_RULE}.severity", "error, warn"),
    (f"{RULE}.dimension", "beauty", f"{PLACE_OF_RULE}.dimension", "accuracy"),
    (f"{RULE}.description", "", f"{PLACE_OF_RULE}.description", "Write a text"),
    (f"{BODY}.rule", "castable", f"{PLACE_OF_RULE}.implementation.rule", "in_set"),
    (f"{BODY}.rule", None, f"{PLACE_OF_RULE}.implementation.rule", 'rule: "null"'),
    (f"{BODY}.column", "price", f"{PLACE_OF_RULE}.implementation.column", "Leave it out"),
    (f"{BODY}.minimum", 1, f"{PLACE_OF_RULE}.implementation.minimum", "not a key read here"),
    (f"{ACROSS}.column", "nowhere", "schema[0].quality[0].implementation.column", "received_at"),
    (f"{ACROSS}.column", REMOVED, "schema[0].quality[0].implementation.column", "is missing"),
    (f"{ACROSS}.other", "price", "schema[0].quality[0].implementation.other", "columns of one type"),
    (f"{ACROSS}.operator", "==", "schema[0].quality[0].implementation.operator", ">="),
]


@pytest.mark.parametrize(("path", "value", "place", "words"), REFUSALS)
def test_contract_refuses_and_names_file_place_and_remedy(
    path: str, value: Any, place: str, words: str
) -> None:
    error = refused(changed(path, value))
    assert (error.file, error.place) == (FILE, place)
    assert words in f"{error.problem}. {error.remedy}"
    assert error.remedy.endswith(".")
    assert str(error).startswith(f"{FILE}: {place}: ")


# implementation, column (1 pieces, 2 price, 0 parcel_id, 4 sent_at) → place below implementation, problem
RULE_REFUSALS = [
    ({"rule": "between"}, 2, "", "neither min nor max"),
    ({"rule": "between", "min": "1.234"}, 2, ".min", "decimal"),
    ({"rule": "between", "min": True}, 1, ".min", "int64"),
    ({"rule": "between", "min": 5, "max": 4}, 1, "", "No value would pass"),
    ({"rule": "between", "min": 10, "max": 9}, 1, "", "No value would pass"),
    ({"rule": "between", "min": "2018-02-30 00:00:00"}, 4, ".min", "timestamp"),
    ({"rule": "between", "min": 0, "strict_min": "true"}, 1, ".strict_min", "without quotes"),
    ({"rule": "between", "min": 0, "strict_max": True}, 1, ".strict_max", "Give max too"),
    ({"rule": "between", "min": "a"}, 0, ".rule", "does not fit parcel_id"),
    ({"rule": "regex", "pattern": "[0-9]"}, 1, ".rule", "does not fit pieces"),
    ({"rule": "regex", "pattern": r"\d+"}, 0, ".pattern", "classes such as [0-9]"),
    ({"rule": "regex", "pattern": "^a"}, 0, ".pattern", "no anchors"),
    ({"rule": "regex", "pattern": "(?=a)b"}, 0, ".pattern", "no look-around"),
    ({"rule": "regex", "pattern": r"(a)\1"}, 0, ".pattern", "every engine"),
    ({"rule": "regex", "pattern": "a++"}, 0, ".pattern", "every engine"),
    ({"rule": "regex", "pattern": "(a"}, 0, ".pattern", "not a regular expression"),
    ({"rule": "regex", "pattern": "a{1001}"}, 0, ".pattern", "not a regular expression"),
    ({"rule": "in_set", "values": []}, 0, ".values", "is empty"),
    ({"rule": "in_set", "values": ["a", "a"]}, 0, ".values", "a value twice"),
    ({"rule": "in_set", "values": [1, 1]}, 1, ".values", "a value twice"),
    ({"rule": "in_set", "values": [1]}, 0, ".values[0]", "a text in quotes"),
    ({"rule": "in_set", "values": ["1"]}, 1, ".values[0]", "whole number"),
    ({"rule": "in_set", "values": ["1.00", "1.000"]}, 2, ".values[1]", "decimal"),
    ({"rule": "in_set", "values": ["1.0", "1.00"]}, 2, ".values", "a value twice"),
    ({"rule": "length"}, 0, "", "neither min nor max"),
    ({"rule": "length", "min": 3, "max": 2}, 0, "", "No value would pass"),
    ({"rule": "length", "min": -1}, 0, ".min", "whole number"),
    ({"rule": "not_null", "when": {"column": "nowhere", "in": ["a"]}}, 0, ".when.column", "parcel_id"),
    (
        {"rule": "not_null", "when": {"column": "price", "present": "no"}},
        0,
        ".when.present",
        "without quotes",
    ),
    ({"rule": "not_null", "when": {"column": "pieces", "in": []}}, 0, ".when.in", "is empty"),
    ({"rule": "not_null", "when": {"column": "price", "in": ["1"]}}, 0, ".when.column", "price is decimal"),
    ({"rule": "not_null", "when": {"column": "price"}}, 0, ".when", "says nothing of price"),
    ({"rule": "not_null", "when": {"column": "price", "is": 1}}, 0, ".when.is", "not a key read here"),
    ({"rule": "not_null", "pattern": "a"}, 0, ".pattern", "not a key read here"),
]


@pytest.mark.parametrize(("implementation", "column", "place", "words"), RULE_REFUSALS)
def test_rule_refuses_and_names_its_place(
    implementation: dict[str, Any], column: int, place: str, words: str
) -> None:
    error = refused(rule_with(implementation, column))
    assert error.place == f"schema[0].properties[{column}].quality[0].implementation{place}"
    assert words in f"{error.problem}. {error.remedy}"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("name: [", "line 1", "is not YAML"),
        ("name: a\nname: b\n", "line 1", "name stands twice"),
        ("a: {b: 1, b: 2}\n", "line 1", "b stands twice"),
        ("name: \x00\n", "file", "is not YAML"),
        ("&a [*a]\n", "file", "not a mapping"),
        ("", "file", "not a mapping"),
        ("- a\n", "file", "not a mapping"),
        ("? [a]\n: 1\n? [a]\n: 2\n", "line 1", "stands twice"),
        ("a: !!python/object:os.system {}\n", "line 1", "is not YAML"),
    ],
)
def test_text_that_is_no_contract_is_refused(text: str, place: str, words: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse_contract(FILE, text)
    assert (caught.value.file, caught.value.place) == (FILE, place)
    assert words in caught.value.problem


# --- locks: what was released stays


def test_lock_gives_numbers_from_ten_in_order() -> None:
    lock = extend_lock(parse(a_contract()), None)
    assert [f["number"] for f in lock["fields"].values()] == [10, 11, 12, 13, 14, 15]
    assert lock["fields"]["price"] == {"number": 12, "wire": "text", "silver": "decimal(10,2)"}
    assert lock["fields"]["pieces"]["wire"] == "int64"
    assert extend_lock(parse(a_contract()), lock) == lock


def test_lock_keeps_numbers_when_columns_are_moved_or_added() -> None:
    lock = extend_lock(parse(a_contract()), None)
    columns = a_contract()["schema"][0]["properties"]
    moved = [a_column("weight", "integer"), *reversed(columns)]
    later = extend_lock(parse(changed(f"{TABLE}.properties", moved)), lock)
    assert later["fields"] == {**lock["fields"], "weight": {"number": 16, "wire": "int64", "silver": "int64"}}
    after = [*moved, a_column("height", "integer")]
    assert (
        extend_lock(parse(changed(f"{TABLE}.properties", after)), later)["fields"]["height"]["number"] == 17
    )


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (f"{COLUMN}.physicalType", "decimal(12,2)", "released as decimal(10,2) and is now decimal(12,2)"),
        (f"{COLUMN}.physicalType", "double", "released as decimal(10,2) and is now double"),
        (f"{TABLE}.properties.4.logicalType", "string", "released as timestamp and is now text"),
        ("customProperties.0.value", "Packet", "released as Parcel and is now Packet"),
    ],
)
def test_lock_refuses_a_changed_type_or_name(path: str, value: Any, words: str) -> None:
    lock = extend_lock(parse(a_contract()), None)
    document = changed(path, value)
    document["schema"][0].pop("quality")
    with pytest.raises(ContractError, match="raise the major version") as caught:
        extend_lock(parse(document), lock)
    assert words in caught.value.problem


def test_lock_begins_anew_with_a_major_version() -> None:
    lock = extend_lock(parse(a_contract()), None)
    document = changed(f"{COLUMN}.physicalType", "double")
    document["version"] = "2.0.0"
    later = extend_lock(parse(document), lock)
    assert (later["major"], later["fields"]["price"]["silver"]) == (2, "double")
    with pytest.raises(ContractError, match="older than the released major 2"):
        extend_lock(parse(a_contract()), later)


@pytest.mark.parametrize("number", [10, 9, 1])
def test_lock_with_a_number_given_twice_is_refused(number: int) -> None:
    lock = extend_lock(parse(a_contract()), None)
    lock["fields"]["price"]["number"] = number
    with pytest.raises(ContractError, match="numbers are given once") as caught:
        extend_lock(parse(a_contract()), lock)
    assert (caught.value.file, caught.value.place) == ("parcels.lock.json", "price")
