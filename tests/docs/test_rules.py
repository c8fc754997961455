"""`docs/rules.md` says what the check does: every line of its tables, by the plan and by the oracle."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.catalog import Entity
from lakehouse.errors import ContractError
from lakehouse.rules.kind import Scope
from lakehouse.rules.registry import KINDS
from tests.builders.rows import a_row, bronze_table
from tests.contract.gx_translation import NOT_APPLICABLE
from tests.differential.contracts import an_entity_with
from tests.differential.engines import ENGINES
from tests.differential.tables import LOAD_LOG

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def lines_under(head: str) -> list[list[str]]:
    """Cells of all lines of the page's tables with this head."""
    found: list[list[str]] = []
    inside = False
    for line in PAGE.read_text("utf-8").splitlines():
        if line == head:
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|--"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.append([cell.strip("`") for cell in cells])
    assert found, head
    return found


ROWS = lines_under("| rule | row | verdict |")
LOADS = lines_under("| rule | rows | breaks |")
REFUSED = lines_under("| rule | refused with |")
GRAMMARS = lines_under("| value | whole | price | huge | weight | begun |")


def broken_rows(entity: Entity, rule: str, rows: list[dict[str, Any]], engine: str) -> list[int]:
    nothing = dict.fromkeys(f.name for f in entity.fields)
    made = [a_row("orders", **{**nothing, **row}) for row in rows]
    table = bronze_table(entity, made, all_text=True, log=LOAD_LOG)
    [answer] = ENGINES[engine](entity, [table])
    return sorted(answer[rule])


@pytest.mark.parametrize("engine", ["plan", "oracle"])
@pytest.mark.parametrize(("rule", "row", "verdict"), ROWS)
def test_row_has_the_verdict_that_the_page_says(rule: str, row: str, verdict: str, engine: str) -> None:
    found = broken_rows(an_entity_with(yaml.safe_load(rule)), "the_rule", [yaml.safe_load(row)], engine)
    assert found == {"broken": [0], "holds": []}[verdict]


@pytest.mark.parametrize("engine", ["plan", "oracle"])
@pytest.mark.parametrize(("rule", "rows", "breaks"), LOADS)
def test_load_has_the_broken_rows_that_the_page_says(rule: str, rows: str, breaks: str, engine: str) -> None:
    entity = an_entity_with(yaml.safe_load(rule))
    assert broken_rows(entity, "the_rule", yaml.safe_load(rows), engine) == yaml.safe_load(breaks)


@pytest.mark.parametrize(("rule", "words"), REFUSED)
def test_rule_is_refused_as_the_page_says(rule: str, words: str) -> None:
    with pytest.raises(ContractError, match=re.escape(words)):
        an_entity_with(yaml.safe_load(rule))


@pytest.mark.parametrize("engine", ["plan", "oracle"])
def test_value_is_of_the_types_that_the_page_says(engine: str) -> None:
    entity = an_entity_with({"rule": "not_null", "column": "word"})
    wrong = []
    for value, *answers in GRAMMARS:
        text = yaml.safe_load(value)
        for name, answer in zip(("whole", "price", "huge", "weight", "begun"), answers, strict=True):
            found = broken_rows(entity, f"{name}_readable", [{name: text}], engine)
            if found != {"yes": [], "no": [0]}[answer]:
                wrong.append(f"{value} as {name}: the page says {answer}")
    assert not wrong, "\n".join(wrong)


def test_page_has_a_line_of_every_kind_of_rule() -> None:
    told = {yaml.safe_load(rule)["rule"] for rule, *_ in (*ROWS, *LOADS)}
    assert told == {name for name, kind in KINDS.items() if kind.written}


def test_page_has_a_value_that_breaks_every_kind_of_row_rule() -> None:
    broken = {yaml.safe_load(rule)["rule"] for rule, _, verdict in ROWS if verdict == "broken"}
    assert broken == {name for name, kind in KINDS.items() if kind.written and kind.scope is Scope.ROW}


def test_page_lists_the_foreign_cases_that_are_not_run() -> None:
    assert dict(lines_under("| cases | why |")) == NOT_APPLICABLE


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.scope is not Scope.ROW])
def test_rule_about_a_load_is_refused_for_a_stream(name: str) -> None:
    rule = next(yaml.safe_load(rule) for rule, *_ in LOADS if yaml.safe_load(rule)["rule"] == name)
    with pytest.raises(ContractError, match="comes as a stream"):
        an_entity_with(rule, delivery="stream")


@pytest.mark.parametrize("name", ["unique", "increasing", "decreasing"])
def test_rule_about_rows_of_a_load_is_refused_as_an_error(name: str) -> None:
    rule = next(yaml.safe_load(rule) for rule, *_ in LOADS if yaml.safe_load(rule)["rule"] == name)
    with pytest.raises(ContractError, match="Write warn"):
        an_entity_with(rule, severity="error")
