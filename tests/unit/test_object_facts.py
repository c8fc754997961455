"""Load and object rules: found out from row groups, exact where hashes meet, and told where a person looks."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lakehouse import object_facts
from lakehouse.catalog import Entity
from lakehouse.key_hash import hash_keys
from lakehouse.object_facts import find_facts
from lakehouse.row_check import CheckPlan
from lakehouse.split import Origin, Split, split_rows
from tests.builders.rows import a_raw_row, a_row, bronze_table
from tests.differential.contracts import an_entity_with
from tests.differential.engines import facts_of
from tests.differential.tables import LOAD_LOG

UNIQUE = {"rule": "unique", "columns": ["word", "whole"]}


def a_load(entity: Entity, rows: list[dict[str, Any]], log: str = LOAD_LOG) -> pa.Table:
    nothing = dict.fromkeys(f.name for f in entity.fields)
    made = [a_row("orders", **nothing | {"key": "k"} | row) for row in rows]
    return bronze_table(entity, made, all_text=True, log=log)


def judged(entity: Entity, table: pa.Table) -> Split:
    plan = CheckPlan(entity)
    return split_rows(plan, table, Origin("some/key", 0, "1.0.0"), facts_of(plan, table))


def test_facts_of_unique_are_exact_where_every_hash_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_facts, "hash_keys", lambda columns: np.zeros(len(columns[0]), np.uint64))
    words = [f"w{n % 30}" for n in range(45)]
    made = judged(
        an_entity_with(UNIQUE), a_load(an_entity_with(UNIQUE), [{"word": w, "whole": "1"} for w in words])
    )
    warned = [row for row, ids in enumerate(made.silver.column("warnings").to_pylist()) if ids]
    assert warned == [*range(15), *range(30, 45)]


def test_facts_need_a_second_pass_only_where_keys_may_meet() -> None:
    entity = an_entity_with(UNIQUE)
    plan = CheckPlan(entity)
    passes: list[Collection[str]] = []

    def reading(table: pa.Table) -> Any:
        def read(names: Collection[str]) -> Iterable[pa.Table]:
            passes.append(names)
            return [table.select([name for name in table.column_names if name in names])]

        return read

    apart = a_load(entity, [{"word": "a", "whole": "1"}, {"word": "a", "whole": "2"}])
    assert find_facts(plan, apart.column_names, reading(apart)).rows == {}
    assert len(passes) == 1
    meeting = a_load(entity, [{"word": "a", "whole": "1"}, {"word": "a", "whole": "1"}])
    [mask] = find_facts(plan, meeting.column_names, reading(meeting)).rows.values()
    assert (mask.tolist(), len(passes)) == ([True, True], 3)
    assert set(passes[0]) == {"raw", "raw_reason", "op", "contract_version", "word", "whole"}


def test_facts_are_for_loads_whose_contract_has_such_rules() -> None:
    wide, narrow = an_entity_with(UNIQUE), an_entity_with({"rule": "not_null", "column": "word"})
    assert CheckPlan(wide).needs_facts(LOAD_LOG)
    assert not CheckPlan(wide).needs_facts("emb-1")
    assert not CheckPlan(narrow).needs_facts(LOAD_LOG)


def test_plan_does_not_forget_the_rules_of_a_load() -> None:
    entity = an_entity_with(UNIQUE)
    with pytest.raises(AssertionError):
        CheckPlan(entity).judge(a_load(entity, [{}]))


def test_check_of_a_streams_object_leaves_load_rules_out() -> None:
    entity = an_entity_with(UNIQUE)
    made = judged(entity, a_load(entity, [{"word": "a", "whole": "1"}] * 2, log="emb-1"))
    assert made.warnings == {}


def test_object_that_breaks_an_error_is_held_whole_with_what_was_found() -> None:
    entity = an_entity_with({"rule": "null_share", "column": "word", "max": 0.5}, severity="error")
    rows = [{"word": "a"}, {"word": ""}, {}]
    raw = a_raw_row("orders") | dict.fromkeys(f.name for f in entity.fields)
    table = pa.concat_tables(
        [a_load(entity, rows), bronze_table(entity, [raw], first=3, all_text=True, log=LOAD_LOG)]
    ).combine_chunks()
    made = judged(entity, table)
    reasons = [
        [(r["rule"], r["column"], r["value"]) for r in row["reasons"]] for row in made.quarantine.to_pylist()
    ]
    assert reasons == [[("the_rule", "word", "2 of 3 missing")]] * 3 + [[("UNDECODABLE", None, None)]]


def test_object_with_too_few_rows_names_no_column() -> None:
    entity = an_entity_with({"rule": "row_count", "min": 2}, severity="error")
    [row] = judged(entity, a_load(entity, [{}])).quarantine.to_pylist()
    assert row["reasons"] == [
        {"rule": "the_rule", "column": None, "value": "1 rows", "message": "the_rule is broken."}
    ]


def test_object_without_a_column_says_which() -> None:
    entity = an_entity_with({"rule": "columns_present", "columns": ["word", "whole"]}, severity="error")
    table = a_load(entity, [{}]).drop_columns(["whole"])
    [row] = judged(entity, table).quarantine.to_pylist()
    assert [r["value"] for r in row["reasons"]] == ["without whole"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a", "b", "aa", "a\0", "é", "x" * 256, "x" * 257, "y" * 257, "x" * 1000, "1", "11"]),
        pa.array([0, 1, -1, 2**63 - 1, -(2**63)]),
        pa.array([0.0, 1.0, -1.0, 5e-324]),
        pa.array([0, 1, 2**62], pa.decimal128(38, 2)),
    ],
)
def test_hashes_of_different_values_differ_and_of_equal_ones_are_equal(values: pa.Array) -> None:
    once = hash_keys([values])
    again = hash_keys([pa.concat_arrays([values[1:2], values])[1:]])
    assert (once == again).all()
    assert len(set(once.tolist())) == len(values)
    assert (hash_keys([values, values]) != once).all()


@pytest.mark.parametrize(
    "type_", [pa.string(), pa.int64(), pa.float64(), pa.decimal128(38, 2), pa.timestamp("us")]
)
@pytest.mark.parametrize("rows", [0, 3])
def test_hashes_of_nothing_are_as_many_as_the_rows(type_: pa.DataType, rows: int) -> None:
    assert len(hash_keys([pa.nulls(rows, type_)])) == rows


@pytest.mark.parametrize(
    "rule",
    [
        UNIQUE,
        {"rule": "sum", "columns": ["price", "huge"], "total": 1},
        {"rule": "increasing", "column": "begun"},
        {"rule": "pair_in_set", "column": "word", "other": "whole", "pairs": [["a", 1]]},
        {"rule": "format", "column": "word", "format": "%Y"},
        {"rule": "json", "column": "word"},
    ],
)
def test_plan_takes_an_object_without_rows(rule: dict[str, Any]) -> None:
    entity = an_entity_with(rule)
    plan, table = CheckPlan(entity), a_load(entity, [])
    facts = find_facts(plan, table.column_names, lambda names: [table.select(sorted(names))])
    assert plan.judge(table, facts).broken == ()


def test_hash_of_negative_zero_is_that_of_zero() -> None:
    assert len(set(hash_keys([pa.array([0.0, -0.0])]).tolist())) == 1
