"""What the compilers say of rules: the same meaning, or a reason; nothing is dropped."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.catalog import Condition, Entity, Field, Kind, Rule, load_entities
from lakehouse.compilers import dbt_tests, expectations
from lakehouse.compilers.dbt import sources
from lakehouse.compilers.page import rules_page
from lakehouse.compilers.rule_targets import TARGETS, rules_said
from lakehouse.compilers.targets import Concern, NotExpressible, concerns, row_condition
from lakehouse.errors import ContractError
from lakehouse.rules.registry import KINDS

ROOT = Path(__file__).parents[2]
ENTITIES = load_entities()
FIELDS: Mapping[str, Field] = {
    "text": Field("text", 10, Kind.TEXT, False, None, "text", "text"),
    "whole": Field("whole", 11, Kind.INT64, False, None, "whole", "whole"),
    "price": Field("price", 12, Kind.DECIMAL, False, None, "price", "price", precision=10, scale=2),
    "begun": Field("begun", 13, Kind.TIMESTAMP, False, None, "begun", "begun"),
}


def a_concern(kind: str, column: str, when: Condition | None = None, **args: Any) -> Concern:
    return Concern(Rule("made_up", kind, column, "error", "Is broken.", "accuracy", args, when), deletes=True)


def expected(kind: str, column: str, when: Condition | None = None, **args: Any) -> Any:
    return expectations.translate(a_concern(kind, column, when, **args), FIELDS)


def by_dbt(kind: str, column: str, when: Condition | None = None, **args: Any) -> Any:
    return dbt_tests.translate(a_concern(kind, column, when, **args), FIELDS)


@pytest.mark.parametrize("name", sorted(ENTITIES))
def test_suites_hold_every_rule_or_its_reason(name: str) -> None:
    suite = json.loads((ROOT / f"expectations/{name}.json").read_text("utf-8"))
    assert suite == expectations.suite(ENTITIES[name])
    said = {entry["meta"]["rule"] for entry in suite["expectations"]}
    assert said | set(suite["meta"]["not_expressible"]) == {rule.id for rule in ENTITIES[name].rules}
    assert suite["meta"]["expectations"] == len(suite["expectations"])


def test_dbt_tests_every_rule_or_there_is_a_reason() -> None:
    [source] = yaml.safe_load(sources(ENTITIES.values()))["sources"]
    names = {
        properties["name"]
        for table in source["tables"]
        for place in (table, *table["columns"])
        for test in place.get("data_tests", ())
        for properties in test.values()
    }
    for entity in ENTITIES.values():
        for said in rules_said(entity):
            name = f"{entity.name}__{said.concern.rule.id}"
            assert (name in names or f"{name}__1" in names) == (dbt_tests.TARGET not in said.reasons), name


def test_kinds_of_rules_are_known_to_every_target() -> None:
    """Of each kind at least a reason; what it says of its arguments is the differential's matter."""
    listed = {*expectations.SAYINGS} | {name for name in KINDS if _has_reason(name)}
    assert set(KINDS) == listed
    assert set(dbt_tests.SAYINGS) == set(expectations.SAYINGS)


def _has_reason(kind: str) -> bool:
    return kind not in expectations.SAYINGS and isinstance(expected(kind, "text"), NotExpressible)


def test_rule_that_no_compiler_knows_fails_with_rule_and_target() -> None:
    with pytest.raises(ContractError, match=r"made_up: .*'seventh_sense'.* for Great Expectations"):
        expected("seventh_sense", "text")
    with pytest.raises(ContractError, match=r"made_up: .*'seventh_sense'.* for dbt"):
        by_dbt("seventh_sense", "text")


def test_decimal_bounds_that_are_not_binary_lie_between_two_values() -> None:
    [(_, kwargs)] = expected("between", "price", min="0.10", max="0.20", strict_max=True)
    assert kwargs["min_value"] == pytest.approx(0.095)
    assert kwargs["max_value"] == pytest.approx(0.195)
    assert "strict_max" not in kwargs


def test_numbers_that_json_cannot_hold_have_a_reason() -> None:
    assert isinstance(expected("between", "whole", max=str(2**63 - 1)), NotExpressible)
    assert isinstance(expected("in_set", "price", values=["0.10"]), NotExpressible)
    assert expected("in_set", "price", values=["0.50"])[0][1]["value_set"] == [0.5]


def test_condition_on_the_text_of_a_number_is_said_where_it_has_one_spelling() -> None:
    assert (
        expected("not_null", "text", Condition("whole", ("7",)))[0][1]["row_condition"] == "`whole`.isin([7])"
    )
    assert isinstance(expected("not_null", "text", Condition("whole", ("0",))), NotExpressible)
    assert isinstance(by_dbt("not_null", "text", Condition("whole", ("0", "7"))), NotExpressible)


def test_texts_that_dbt_would_take_for_templates_are_given_on_as_they_are() -> None:
    [test] = by_dbt("in_set", "text", values=["{{ x }}", "ref('a')", "plain"])
    assert test.arguments["value_set"] == [
        "{{ '{{ x }}' | as_text }}",
        "{{ \"ref('a')\" | as_text }}",
        "plain",
    ]


def test_rules_concern_deletes_only_by_their_key() -> None:
    concerned = {c.rule.id: c.deletes for c in concerns(ENTITIES["orders"])}
    assert concerned["order_id_is_id"]
    assert not concerned["order_status_known"]


def a_former(entity: Entity) -> Entity:
    changed = replace(entity.rules[0], text="Is not there.")
    return replace(entity, version="0.9.0", rules=(changed, *entity.rules[1:]))


def test_rules_of_former_versions_concern_their_rows_alone() -> None:
    sellers = ENTITIES["sellers"]
    entity = replace(sellers, former=(a_former(sellers),))
    first, *_, last = concerns(entity)
    assert (first.without, last.only) == (("0.9.0",), ("0.9.0",))
    fields = {**FIELDS, **{f.name: f for f in entity.fields}}
    assert row_condition(first, fields, dbt_tests.SQL) == (
        "(contract_version is null or contract_version not in ('0.9.0'))"
    )
    assert row_condition(last, fields, expectations.PANDAS) == "`contract_version`.isin(['0.9.0'])"
    assert [said.since for said in rules_said(entity)][:2] == ["1.0.0", "0.9.0"]
    names = [
        line.strip() for line in sources([entity]).splitlines() if "name: sellers__seller_id_present" in line
    ]
    assert names == ["name: sellers__seller_id_present", "name: sellers__seller_id_present__0_9_0"]


def test_page_of_rules_says_yes_or_why_not() -> None:
    rows = [line for line in rules_page(ENTITIES.values()).splitlines() if line.startswith("| [")]
    assert len(rows) == sum(len(entity.rules) for entity in ENTITIES.values())
    for row in rows:
        answers = [cell.strip() for cell in row.split("|")[4:-1]]
        assert len(answers) == len(TARGETS)
        assert all(answer == "yes" or answer.startswith("no: ") for answer in answers)


def test_condition_by_a_pattern_stands_where_dbt_takes_macros() -> None:
    """Not in `where`, a test's configuration."""
    [test] = by_dbt("compare", "text", Condition("text", pattern="a+"), operator="!=", other="text")
    assert test.arguments == {
        "expression": r"coalesce(not ({{ dbt_expectations.regex_matches('text', '\\A(?:a+)\\z') }}), true)"
        " or (text <> text)"
    }


def test_sum_with_a_tolerance_is_compared_with_bounds_that_do_not_overflow() -> None:
    [test] = by_dbt("sum", "whole", columns=["whole", "whole"], total="9" * 36, tolerance="1.5")
    low, high = "9" * 35 + "7.5", "1" + "0" * 36 + ".5"
    assert f"between cast('{low}' as decimal(38, 1)) and" in test.arguments["expression"]
    assert f"and cast('{high}' as decimal(38, 1))" in test.arguments["expression"]
    assert isinstance(
        by_dbt("sum", "whole", columns=["whole", "whole"], total="9" * 38, tolerance="3"), NotExpressible
    )
