"""The verdicts on the real Olist rows are exactly the defects measured in them; `docs/verdicts.md` shows them."""

import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.catalog import Entity, Rule, load_entities
from lakehouse.row_check import CheckPlan
from lakehouse.split import Origin, Split, split_rows
from tests.builders.olist import TRUNCATED_REVIEWS, file_of, load_table
from tests.conftest import Golden
from tests.oracle import judge_row

ENTITIES = load_entities()
EXPECTED: dict[str, Any] = json.loads(Path(__file__).with_name("expected_verdicts.json").read_text())
# Rows of each real file that the oracle judges one by one; it needs 30 microseconds for each of its rules.
ORACLE_ROWS = 3000
HEAD = """# Verdicts on the real data

What the check hop says of every row that Olist published, rule by rule. *Expected* are the defects measured in the
files by other means; a rule that is not listed there expects none. Written by `make golden` with `OLIST_DATA` set,
and compared with the real files by `make test`.

"""


def verdicts(entity: Entity, file: Path) -> Split:
    return split_rows(CheckPlan(entity), load_table(entity, file), Origin("key", 0, entity.version))


@pytest.fixture(scope="module")
def found(olist_data: Path) -> dict[str, Split]:
    """By entity, and the truncated reviews by the name of their file."""
    nine = {name: verdicts(entity, file_of(olist_data, name)) for name, entity in ENTITIES.items()}
    return nine | {TRUNCATED_REVIEWS: verdicts(ENTITIES["reviews"], olist_data / TRUNCATED_REVIEWS)}


def rules_of(name: str) -> tuple[Rule, ...]:
    return CheckPlan(ENTITIES["reviews" if name == TRUNCATED_REVIEWS else name]).rules


def test_expected_verdicts_name_rules_that_exist() -> None:
    for name, rules in EXPECTED.items():
        assert set(rules) <= {rule.id for rule in rules_of(name)}


def test_verdicts_on_the_real_rows_are_the_measured_defects(found: dict[str, Split]) -> None:
    for name, split in found.items():
        wanted = {rule: facts["rows"] for rule, facts in EXPECTED.get(name, {}).items()}
        assert {**split.reasons, **split.warnings} == wanted, name


def test_quarantine_of_the_real_rows_is_nine_places_outside_brazil(found: dict[str, Split]) -> None:
    held = {name: split.held.rows for name, split in found.items() if split.held.rows}
    assert held == {"geolocation": 9, TRUNCATED_REVIEWS: 3467}


@pytest.mark.parametrize("name", sorted(ENTITIES))
def test_oracle_agrees_on_real_rows(name: str, olist_data: Path) -> None:
    """On every n-th row, so that the whole file is looked at."""
    entity = ENTITIES[name]
    table = load_table(entity, file_of(olist_data, name))
    table = table.take(list(range(0, len(table), len(table) // ORACLE_ROWS + 1)))
    split = split_rows(CheckPlan(entity), table, Origin("key", 0, entity.version))
    oracle = [judge_row(entity, row) for row in table.to_pylist()]
    assert split.silver.column("warnings").to_pylist() == [v.warnings for v in oracle if not v.reasons]
    assert split.held.rows == sum(bool(v.reasons) for v in oracle)


def test_verdict_table_in_the_docs_is_what_was_found(found: dict[str, Split], golden: Golden) -> None:
    golden.check("../../docs/verdicts.md", HEAD + "\n".join(summary(found) + details(found)) + "\n")


def summary(found: dict[str, Split]) -> list[str]:
    lines = ["| rows | Silver | of them with a warning | Quarantine |", "|---|---:|---:|---:|"]
    for name, split in found.items():
        warned = sum(bool(ids) for ids in split.silver.column("warnings").to_pylist())
        lines.append(f"| {name} | {split.passed.rows} | {warned} | {split.held.rows} |")
    return [*lines, ""]


def details(found: dict[str, Split]) -> list[str]:
    """Every rule of every contract; the envelope's rules, which hold in all files, once."""
    lines = [
        "| entity | rule | severity | what it says when broken | expected | found |",
        "|---|---|---|---|---:|---:|",
    ]
    own = {rule.id for entity in ENTITIES.values() for rule in entity.rules}
    shared = [rule for rule in CheckPlan(next(iter(ENTITIES.values()))).rules if rule.id not in own]
    lines += [line("all", rule, 0, sum(count(s, rule) for s in found.values())) for rule in shared]
    for name, split in found.items():
        for rule in rules_of(name):
            if rule.id in own:
                expected = EXPECTED.get(name, {}).get(rule.id, {"rows": 0})["rows"]
                lines.append(line(name, rule, expected, count(split, rule)))
    return lines


def count(split: Split, rule: Rule) -> int:
    return split.reasons.get(rule.id, 0) + split.warnings.get(rule.id, 0)


def line(entity: str, rule: Rule, expected: int, rows: int) -> str:
    return f"| {entity} | `{rule.id}` | {rule.severity} | {rule.text} | {expected} | {rows} |"
