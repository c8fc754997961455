"""Reads Open Data Contract Standard (v3.1) files and refuses what we cannot honour, naming file, place and remedy.

Only the generator and the tests come here; running processes use `catalog`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lakehouse.bronze import RESERVED_NAMES
from lakehouse.catalog import Delivery, Kind, Rule
from lakehouse.errors import ContractError
from lakehouse.place import Place
from lakehouse.rules.reading import read_rule

API_VERSION = "v3.1.0"
ENGINE = "keystone-nexus"
CLASSIFICATIONS = ["public", "internal", "personal"]


@dataclass(frozen=True)
class Column:
    """A property of the contract, before it has a field number."""

    name: str
    kind: Kind
    required: bool
    key_position: int | None
    business_name: str
    description: str
    personal: bool
    precision: int
    scale: int


@dataclass(frozen=True)
class Contract:
    """One entity's contract as written."""

    file: str
    name: str
    version: str
    message: str
    delivery: Delivery
    description: str
    grain: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error instead of a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = sorted({str(key) for key in keys if keys.count(key) > 1})
        if doubled:
            raise yaml.constructor.ConstructorError(
                problem=f"{', '.join(doubled)} stands twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


def parse_contract(file: str, text: str) -> Contract:
    """The contract in a YAML text; ContractError names file, place, problem and remedy."""
    try:
        document = yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "file"
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ContractError(file, place, f"is not YAML: {problem}", "Mend the line.") from error
    root = Place(file, "", document)
    root.only(
        "apiVersion kind id name version status domain dataProduct description schema customProperties tags"
    )
    root.at("apiVersion").one_of([API_VERSION])
    root.at("kind").one_of(["DataContract"])
    root.at("status").one_of(["proposed", "draft", "active", "deprecated", "retired"])
    version = root.at("version").text(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", "such as 1.0.0")
    if version.startswith("0."):
        root.at("version").fail("major version 0 has no topic", "Start at 1.0.0.")
    name = root.at("name").text(r"[a-z][a-z0-9_]{0,62}", "lower-case letters, digits and _")
    extra = root.at("customProperties").properties({"message", "delivery"})
    objects = list(root.at("schema").items())
    if len(objects) != 1:
        root.at("schema").fail(f"holds {len(objects)} objects", "Write one: a contract is one entity.")
    return _read_object(file, name, version, extra, objects[0])


def _read_object(file: str, name: str, version: str, extra: Mapping[str, Place], table: Place) -> Contract:
    table.only("name logicalType physicalType description dataGranularityDescription properties quality")
    table.at("name").one_of([name])
    columns = tuple(_read_columns(table.at("properties")))
    _require_key_order(table.at("properties"), columns)
    delivery: Delivery = "stream" if extra["delivery"].one_of(["stream", "batch"]) == "stream" else "batch"
    rules = tuple(_read_rules(table, {c.name: c for c in columns}, delivery))
    doubled = {r.id for r in rules if sum(r.id == other.id for other in rules) > 1}
    if doubled:
        table.fail(
            f"has two rules called {', '.join(sorted(doubled))}",
            "Give each rule its own id; <column>_present and <column>_readable are taken by those of the types.",
        )
    return Contract(
        file=file,
        name=name,
        version=version,
        message=extra["message"].text(r"[A-Z][A-Za-z0-9]*", "CamelCase"),
        delivery=delivery,
        description=table.at("description").text(),
        grain=table.at("dataGranularityDescription").text(),
        columns=columns,
        rules=rules,
    )


def _read_columns(properties: Place) -> Iterator[Column]:
    seen: set[str] = set()
    for place in properties.items():
        place.only(
            "name businessName logicalType physicalType required primaryKey primaryKeyPosition classification "
            "description examples quality"
        )
        column = _read_column(place)
        if column.name in seen:
            place.at("name").fail(f"{column.name!r} stands twice", "Name each column once.")
        if column.name in RESERVED_NAMES:
            place.at("name").fail(f"{column.name!r} is a column of the lake itself", "Choose another name.")
        seen.add(column.name)
        yield column


def _require_key_order(properties: Place, columns: tuple[Column, ...]) -> None:
    positions = sorted(c.key_position for c in columns if c.key_position is not None)
    if positions != list(range(1, len(positions) + 1)):
        properties.fail(
            f"have the key positions {positions}", "Number the primary key columns 1, 2, 3 and so on."
        )


def _read_column(place: Place) -> Column:
    kind, precision, scale = _read_type(place)
    classification = (
        place.at("classification").one_of(CLASSIFICATIONS) if "classification" in place.value else ""
    )
    key_position = None
    if place.flag("primaryKey"):
        key_position = place.at("primaryKeyPosition").integer(1, 20)
    return Column(
        name=place.at("name").text(r"[a-z][a-z0-9_]{0,62}", "lower-case letters, digits and _"),
        kind=kind,
        required=place.flag("required"),
        key_position=key_position,
        business_name=place.at("businessName").text(),
        description=place.at("description").text(),
        personal=classification == "personal",
        precision=precision,
        scale=scale,
    )


def _read_type(place: Place) -> tuple[Kind, int, int]:
    logical = place.at("logicalType").one_of(["string", "integer", "timestamp", "number"])
    plain = {"string": Kind.TEXT, "integer": Kind.INT64, "timestamp": Kind.TIMESTAMP}
    if logical in plain:
        return plain[logical], 0, 0
    physical = place.at("physicalType")
    if physical.value == "double":
        return Kind.DOUBLE, 0, 0
    text = physical.text(r"decimal\(\d{1,2},\d{1,2}\)", "decimal(10,2) or double")
    precision, scale = (int(part) for part in text[8:-1].split(","))
    if not 1 <= precision <= 38 or scale > precision:
        physical.fail(f"{text} does not exist", "Use a precision of 1 to 38 and a scale not above it.")
    return Kind.DECIMAL, precision, scale


_CASTABLE_TEXT = {
    Kind.INT64: "is not a whole number",
    Kind.TIMESTAMP: "is not a date and time like 2018-05-01 13:45:00",
    Kind.DOUBLE: "is not a number",
}


def _read_rules(table: Place, columns: Mapping[str, Column], delivery: Delivery) -> Iterator[Rule]:
    """Rules in the order a person reads them: per column those of its type, then those written; then the row's."""
    for place in table.at("properties").items():
        column = columns[str(place.get("name", ""))]
        yield from _implied_rules(column)
        if "quality" in place.value:
            for quality in place.at("quality").items():
                yield read_rule(quality, ENGINE, columns, column.name, delivery)
    if "quality" in table.value:
        for quality in table.at("quality").items():
            yield read_rule(quality, ENGINE, columns, None, delivery)


def _implied_rules(column: Column) -> Iterator[Rule]:
    name = column.name
    if column.required or column.key_position is not None:
        text = f"The {column.business_name} is missing."
        yield Rule(f"{name}_present", "not_null", name, "error", text, "completeness")
    if column.kind is not Kind.TEXT:
        what = _CASTABLE_TEXT.get(
            column.kind, f"is not an amount with at most {column.scale} decimals, such as 12.50"
        )
        text = f"The {column.business_name} {what}."
        yield Rule(f"{name}_readable", "castable", name, "error", text, "conformity")
