"""A contract with rules of every kind, and rows split by contracts."""

from dataclasses import replace
from typing import Any

from lakehouse.catalog import Condition, Entity, Field, Kind, Rule, load_entities
from lakehouse.row_check import CheckPlan
from lakehouse.split import Origin, Split, split_rows
from tests.builders.rows import Row, a_row, bronze_table

ENTITIES = load_entities()


ORDERS = ENTITIES["orders"]


DAY_US = 24 * 3600 * 1_000_000


def a_field(name: str, kind: Kind, key: int | None = None, **changes: Any) -> Field:
    return Field(name, 10, kind, key is not None, key, name, name, **changes)


def a_rule(id_: str, kind: str, column: str, severity: str = "error", **changes: Any) -> Rule:
    when = changes.pop("when", None)
    return Rule(id_, kind, column, severity, f"{id_} is broken.", "accuracy", changes, when)  # type: ignore[arg-type]


EVERY_KIND = replace(
    ORDERS,
    name="everything",
    fields=(
        a_field("key", Kind.TEXT, key=1),
        a_field("part", Kind.INT64, key=2),
        a_field("word", Kind.TEXT),
        a_field("number", Kind.INT64),
        a_field("other", Kind.INT64),
        a_field("price", Kind.DECIMAL, precision=10, scale=2),
        a_field("weight", Kind.DOUBLE),
        a_field("begun", Kind.TIMESTAMP),
        a_field("ended", Kind.TIMESTAMP),
    ),
    rules=(
        a_rule("key_present", "not_null", "key"),
        a_rule("key_short", "length", "key", min=2, max=5),
        a_rule("part_readable", "castable", "part"),
        a_rule("part_above_key_part", "between", "part", "warn", min="1"),
        a_rule("word_given", "not_null", "word", "warn"),
        a_rule("word_plain", "regex", "word", pattern="[^0-9/@,]*"),
        a_rule("word_is_id", "regex", "word", "warn", pattern="[0-9a-f]{4}"),
        a_rule("word_not_x", "not_regex", "word", pattern="x.*"),
        a_rule("word_known", "in_set", "word", "warn", values=["a", "é", "x y"]),
        a_rule("word_not_bad", "not_in_set", "word", values=["bad"]),
        a_rule("number_readable", "castable", "number"),
        a_rule("number_known", "in_set", "number", "warn", values=[-1, 0, 7]),
        a_rule("number_not_9", "not_in_set", "number", values=[9]),
        a_rule("number_below_other", "compare", "number", "warn", operator="<", other="other"),
        a_rule("number_not_other", "compare", "number", operator="!=", other="other"),
        a_rule("other_readable", "castable", "other"),
        a_rule("price_readable", "castable", "price"),
        a_rule("price_between", "between", "price", min="0", max="99.99", strict_max=True),
        a_rule("weight_readable", "castable", "weight"),
        a_rule("weight_between", "between", "weight", min="-1.5", strict_min=True, max="2.5"),
        a_rule("begun_readable", "castable", "begun"),
        a_rule("begun_early", "between", "begun", "warn", max="2019-01-01 00:00:00"),
        a_rule("ended_readable", "castable", "ended"),
        a_rule("ended_after", "compare", "ended", operator=">=", other="begun"),
        a_rule("ended_when_word_a", "not_null", "ended", when=Condition("word", ("a", "7"))),
        a_rule("price_when_number", "not_null", "price", "warn", when=Condition("number")),
        a_rule("part_when_number_7", "between", "part", max="3", when=Condition("number", ("7", "007"))),
    ),
)


def split(entity: Entity, rows: list[Row], all_text: bool = False) -> Split:
    return split_rows(
        CheckPlan(entity), bronze_table(entity, rows, all_text=all_text), Origin("some/key", 100, "1.0.0")
    )


EVERYTHING = a_row("orders") | dict(
    zip(
        [f.name for f in EVERY_KIND.fields],
        ["key", 1, "a", 7, 8, "1.5", "0.5", *["2018-01-01 00:00:00"] * 2],
        strict=True,
    )
)
