"""Great Expectations' own cases about rows: the plan and the oracle find the same rows as it says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.catalog import Entity
from lakehouse.errors import ContractError
from tests.builders.rows import a_row, bronze_table
from tests.contract.gx_translation import NOT_APPLICABLE, REFUSED, Case, translate, why_not
from tests.differential.engines import ENGINES
from tests.differential.tables import LOAD_LOG

Cases = Sequence[dict[str, Any]]


@pytest.fixture(scope="session")
def runnable(gx_cases: Cases) -> Cases:
    return [case for case in gx_cases if why_not(case) is None and case["id"] not in REFUSED]


def test_translation_names_no_case_that_is_not_there(gx_cases: Cases) -> None:
    ids = [case["id"] for case in gx_cases]
    for pattern in (*NOT_APPLICABLE, *REFUSED):
        assert any(fnmatchcase(id_, pattern) for id_ in ids), pattern


def test_cases_that_cannot_be_run_are_few_and_told(gx_cases: Cases, runnable: Cases, capsys: Any) -> None:
    reasons = Counter(why for case in gx_cases if (why := why_not(case)) is not None)
    refused = [case["id"] for case in gx_cases if case["id"] in REFUSED]
    with capsys.disabled():
        print(
            f"\n{len(runnable)} of {len(gx_cases)} cases run, {len(refused)} refused when compiled; not applicable:"
        )
        for why, count in reasons.items():
            print(f"  {count:2} {why}")
    assert len(runnable) >= 90
    assert len(runnable) + len(refused) + sum(reasons.values()) == len(gx_cases)


@pytest.mark.parametrize("engine", ["plan", "oracle"])
def test_case_finds_the_rows_that_great_expectations_finds(runnable: Cases, engine: str) -> None:
    wrong = []
    for case in runnable:
        translated = translate(case)
        entity = translated.entity()
        [answer] = ENGINES[engine](entity, [as_table(entity, translated.rows)])
        found = sorted({row for rule in entity.rules for row in answer[rule.id]})
        wrong += [f"{case['id']} {case['title']}: {problem}" for problem in differences(case, found)]
    assert not wrong, "\n".join(wrong)


def test_case_that_nothing_can_pass_is_refused_when_the_contract_is_compiled(gx_cases: Cases) -> None:
    for case in gx_cases:
        if case["id"] in REFUSED:
            with pytest.raises(ContractError, match=REFUSED[case["id"]]):
                translate(case).entity()


def as_table(entity: Entity, rows: Sequence[Mapping[str, str | None]]) -> pa.Table:
    return bronze_table(entity, [a_row("orders", **row) for row in rows], all_text=True, log=LOAD_LOG)


def differences(case: Case, found: Sequence[int]) -> list[str]:
    """Against what the case expects: rows by number where it numbers them, else by value, and always its success."""
    expect, told = case["expect"], []
    if expect["unexpected_index"] is not None and list(found) != expect["unexpected_index"]:
        told.append(f"rows {found}, expected {expect['unexpected_index']}")
    if expect["unexpected_list"] is not None:
        values = [shown(value_of(case, row)) for row in found]
        if Counter(map(repr, values)) != Counter(repr(shown(value)) for value in expect["unexpected_list"]):
            told.append(f"values {values}, expected {expect['unexpected_list']}")
    asked = asked_rows(case)
    success = not asked or 1 - len(found) / asked >= case["kwargs"].get("mostly", 1.0)
    if success != expect["success"]:
        told.append(f"success {success} with {len(found)} of {asked} rows, expected {expect['success']}")
    return told


def value_of(case: Case, row: int) -> Any:
    data, kwargs = case["data"], case["kwargs"]
    if "column" in kwargs:
        return data[kwargs["column"]][row]
    if "column_A" in kwargs:
        return [data[kwargs["column_A"]][row], data[kwargs["column_B"]][row]]
    return {name: data[name][row] for name in kwargs["column_list"]}


def shown(value: Any) -> Any:
    """Whole numbers as pandas shows them beside nulls; of a record its names, as some cases show a sum for a cell."""
    if isinstance(value, dict):
        return sorted(value)
    if isinstance(value, list):
        return [shown(one) for one in value]
    return float(value) if isinstance(value, int) else value


def asked_rows(case: Case) -> int:
    """How many rows the expectation is about: for `mostly`."""
    data, kwargs = case["data"], case["kwargs"]
    names = kwargs.get("column_list") or [
        kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs
    ]
    cells = list(zip(*(data[name] for name in names), strict=True))
    if case["expectation"].endswith("be_null"):
        return len(cells)
    ignore = kwargs.get("ignore_row_if", "all")
    missing = any if ignore.startswith(("either", "any")) else all
    return sum(not missing(cell is None for cell in row) for row in cells)
