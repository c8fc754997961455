"""The column check gives the oracle's verdict on every row: the same reasons, warnings and values."""

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.bronze import quarantine_schema, silver_schema
from lakehouse.catalog import Entity, Kind
from lakehouse.identity import hash_sum
from lakehouse.row_check import CheckPlan
from lakehouse.shape import schema_problem
from lakehouse.split import Origin, split_rows
from tests.builders.bronze import NOON_MS
from tests.builders.every_kind import DAY_US, ENTITIES, EVERY_KIND, EVERYTHING, ORDERS, a_rule, split
from tests.builders.rows import VALID_ENTITIES, Row, a_row, an_item, an_order, bronze_table
from tests.oracle import judge_row, quantized
from tests.unit.test_kernels import NEAR


def check_against_oracle(entity: Entity, table: pa.Table) -> None:
    """Every row stands where the oracle puts it, with the same reasons, warnings and values; nothing is lost."""
    made = split_rows(CheckPlan(entity), table, Origin("some/key", 100, "1.0.0"))
    made.silver.validate(full=True)
    made.quarantine.validate(full=True)
    assert made.silver.schema == silver_schema(entity)
    assert made.quarantine.schema == quarantine_schema(entity)
    rows = table.to_pylist()
    verdicts = [judge_row(entity, row) for row in rows]
    passed = [(row, verdict) for row, verdict in zip(rows, verdicts, strict=True) if not verdict.reasons]
    held = [
        (n, row, verdict)
        for n, (row, verdict) in enumerate(zip(rows, verdicts, strict=True))
        if verdict.reasons
    ]
    silver = made.silver.to_pylist()
    assert [row["row_hash"] for row in silver] == [row["row_hash"] for row, _ in passed]
    assert [row["warnings"] for row in silver] == [verdict.warnings for _, verdict in passed]
    for name in [f.name for f in entity.fields]:
        field = entity.field(name)
        assert [row[name] for row in silver] == [quantized(field, v.values[name]) for _, v in passed]
    quarantine = made.quarantine.to_pylist()
    assert [row["bronze_row"] for row in quarantine] == [100 + n for n, _, _ in held]
    assert [[tuple(reason.values()) for reason in row["reasons"]] for row in quarantine] == [
        v.reasons for *_, v in held
    ]
    columns = {f.name for f in entity.fields}
    assert [{k: row[k] for k in table.column_names} for row in quarantine] == [
        {k: str(v) if k in columns and v is not None else v for k, v in row.items()} for _, row, _ in held
    ]
    assert (made.passed.rows, made.held.rows) == (len(passed), len(held))
    assert made.passed.hash_sum == hash_sum(row["row_hash"] for row, _ in passed)
    assert made.held.hash_sum == hash_sum(row["row_hash"] for _, row, _ in held)
    assert made.reasons == count(rule for *_, v in held for rule, *_ in v.reasons)
    assert made.warnings == count(rule for _, v in passed for rule in v.warnings)


def count(ids: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for id_ in ids:
        found[id_] = found.get(id_, 0) + 1
    return found


# --- any rows, against the oracle


ENVELOPE = {
    "event_id": st.sampled_from([None, "", "e-1"]),
    "occurred_at": st.one_of(
        st.sampled_from([None, 0, -(2**63), 2**63 - 1, NOON_MS * 1000 + DAY_US, NOON_MS * 1000 + DAY_US + 1]),
        st.integers(-(2**63), 2**63 - 1),
    ),
    "broker_time": st.sampled_from(
        [NOON_MS, 0, -1, 2**63 - 1, -(2**63), 253_402_300_799_999, 253_402_300_800_000]
    ),
    "source": st.sampled_from([None, "", "shop"]),
    "op": st.sampled_from([None, "", "upsert", "delete", "delete", "DELETE", "replace"]),
    "contract_version": st.sampled_from([None, "", "1.0.0", "1.0", "2.0.0"]),
}


WORDS = st.one_of(
    st.sampled_from(["a", "7", "", "bad", "x y", "xyz", "x\ny", "é", "a\n", "ab12", "1234"]), NEAR
)


@st.composite
def any_rows(draw: st.DrawFn, entity: Entity, valid: Row, all_text: bool) -> list[Row]:
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        if draw(st.integers(0, 9)) == 0:
            nothing = dict.fromkeys(
                [*(f.name for f in entity.fields), "event_id", "occurred_at", "source", "op"]
            )
            reason = draw(st.sampled_from([None, "", "The schema is unknown."]))
            raw = draw(st.sampled_from([b"", b"\x00\xff"])) if reason is None else None
            rows.append({**valid, **nothing, "raw": raw, "raw_reason": reason})
            continue
        row = dict(valid)
        for field in entity.fields:
            if draw(st.booleans()):
                texts = WORDS if field.kind is Kind.TEXT else NEAR
                number = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 9))
                value = number if field.kind is Kind.INT64 and not all_text else texts
                row[field.name] = draw(st.one_of(st.none(), value))
        for name, strategy in ENVELOPE.items():
            if draw(st.integers(0, 5)) == 0:
                row[name] = draw(strategy)
        rows.append(row)
    return rows


@pytest.mark.parametrize("all_text", [False, True])
@given(st.data())
def test_check_of_every_rule_kind_equals_the_oracle(all_text: bool, data: st.DataObject) -> None:
    rows = data.draw(any_rows(EVERY_KIND, EVERYTHING, all_text))
    check_against_oracle(EVERY_KIND, bronze_table(EVERY_KIND, rows, all_text=all_text))


# Before: two columns fewer, some rules with other severities or bounds, one rule that is gone since.
BEFORE = replace(
    EVERY_KIND,
    fields=tuple(f for f in EVERY_KIND.fields if f.name not in ("ended", "number")),
    rules=(
        a_rule("word_short", "length", "word", max=3),
        *(
            replace(rule, severity="warn" if rule.id == "word_plain" else rule.severity)
            for rule in EVERY_KIND.rules
            if not {rule.column, rule.args.get("other"), rule.when and rule.when.column} & {"ended", "number"}
            and rule.id != "price_between"
        ),
        a_rule("price_between", "between", "price", min="1"),
    ),
)


BETWEEN = replace(BEFORE, version="1.1.0", rules=BEFORE.rules[1:])


AFTER = replace(
    EVERY_KIND,
    version="1.2.0",
    rules=(a_rule("ended_present", "not_null", "ended"), *EVERY_KIND.rules),
    former=(BEFORE, BETWEEN),
)


@pytest.mark.parametrize("all_text", [False, True])
@given(st.data())
def test_check_judges_each_row_by_its_version_as_the_oracle_does(all_text: bool, data: st.DataObject) -> None:
    rows = data.draw(any_rows(AFTER, EVERYTHING, all_text))
    versions = st.sampled_from(["1.0.0", "1.1.0", "1.2.0", "1.2.0", "1.3.0"])
    rows = [row | {"contract_version": data.draw(versions)} for row in rows]
    check_against_oracle(AFTER, bronze_table(AFTER, rows, all_text=all_text))


def test_check_counts_rules_of_one_id_over_all_versions() -> None:
    rows = [
        EVERYTHING | {"price": "-1", "contract_version": version} for version in ("1.0.0", "1.2.0", "1.2.0")
    ]
    assert split(AFTER, rows).reasons == {"price_between": 3}
    rows = [
        EVERYTHING | {"word": "@", "contract_version": version} for version in ("1.0.0", "1.1.0", "1.2.0")
    ]
    found = split(AFTER, rows)
    assert (found.warnings["word_plain"], found.reasons["word_plain"]) == (2, 1)


def test_check_names_the_version_that_a_row_was_judged_by() -> None:
    row = EVERYTHING | {"key": None}
    rows = [row | {"contract_version": version} for version in ("1.0.0", "1.2.0", "9.9.9", None)]
    made = split_rows(CheckPlan(AFTER), bronze_table(AFTER, rows), Origin("k", 0, AFTER.version))
    assert made.quarantine.column("judged_by").to_pylist() == ["1.0.0", "1.2.0", "1.2.0", "1.2.0"]


def test_check_of_an_object_older_than_a_required_column_judges_its_rows_by_their_version() -> None:
    """What was queued when the next version was deployed; a row that claims the new version is held for itself."""
    rows = [EVERYTHING | {"contract_version": version} for version in ("1.0.0", "1.2.0")]
    table = bronze_table(BEFORE, rows)
    newer = replace(AFTER, fields=tuple(replace(f, required=f.name == "ended") for f in AFTER.fields))
    assert schema_problem(newer, table.schema) is None
    assert schema_problem(replace(newer, former=()), table.schema) == "column ended is missing"
    made = split_rows(CheckPlan(newer), table, Origin("k", 0, newer.version))
    assert (made.passed.rows, made.reasons) == (1, {"ended_present": 1, "ended_when_word_a": 1})
    assert made.silver.column("ended").null_count == 1


@pytest.mark.parametrize("name", VALID_ENTITIES)
@given(st.data(), st.booleans())
def test_check_of_every_contract_equals_the_oracle(name: str, data: st.DataObject, all_text: bool) -> None:
    entity = ENTITIES[name]
    rows = data.draw(any_rows(entity, a_row(name), all_text))
    check_against_oracle(entity, bronze_table(entity, rows, all_text=all_text))


@pytest.mark.parametrize("name", VALID_ENTITIES)
def test_check_lets_a_valid_row_pass_without_warnings(name: str) -> None:
    made = split(ENTITIES[name], [a_row(name), a_row(name)], all_text=ENTITIES[name].delivery == "batch")
    assert (made.passed.rows, made.held.rows, made.warnings) == (2, 0, {})


@pytest.mark.parametrize("layout", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_check_takes_text_however_it_is_laid_out(layout: pa.DataType) -> None:
    rows = [
        an_order(),
        an_order(order_status=""),
        an_order(order_id=None),
        an_order(order_approved_at="soon"),
    ]
    table = bronze_table(ORDERS, rows)
    fields = [f.with_type(layout) if f.type == pa.string() else f for f in table.schema]
    laid_out = table.cast(pa.schema(fields))
    assert schema_problem(ORDERS, laid_out.schema) is None
    check_against_oracle(ORDERS, laid_out)


def test_check_takes_numbers_of_other_widths() -> None:
    items = ENTITIES["order_items"]
    table = bronze_table(items, [an_item(order_item_id=1), an_item(order_item_id=0)])
    for type_ in (pa.int8(), pa.uint16(), pa.uint64()):
        index = table.schema.get_field_index("order_item_id")
        narrow = table.set_column(index, "order_item_id", table.column(index).cast(type_))
        assert schema_problem(items, narrow.schema) is None
        check_against_oracle(items, narrow)


def test_check_takes_columns_in_any_order_and_fills_missing_optional_ones() -> None:
    table = bronze_table(
        ORDERS, [an_order(order_approved_at=None), an_order(order_id="x", order_approved_at=None)]
    )
    names = [name for name in reversed(table.column_names) if name != "order_approved_at"]
    turned = table.select(names)
    assert schema_problem(ORDERS, turned.schema) is None
    made = split_rows(CheckPlan(ORDERS), turned, Origin("k", 0, "1.0.0"))
    assert made.silver.schema == silver_schema(ORDERS)
    assert made.silver.column("order_approved_at").to_pylist() == [None]
    assert made.silver.column("warnings").to_pylist() == [
        ["delivered_has_approval", "order_approved_at_not_in_object"]
    ]
    assert made.quarantine.schema == quarantine_schema(ORDERS)


@pytest.mark.parametrize(
    ("column", "type_", "problem"),
    [
        ("order_id", None, "column order_id is missing"),
        ("row_hash", None, "column row_hash is missing"),
        ("extras", pa.string(), "column extras has a name of the lake's own"),
        ("order_status", pa.float64(), "column order_status is double, but text is wanted"),
        ("order_purchase_timestamp", pa.int64(), "column order_purchase_timestamp is int64"),
        (
            "order_purchase_timestamp",
            pa.timestamp("us", "UTC"),
            "column order_purchase_timestamp is timestamp",
        ),
        ("row_hash", pa.float64(), "column row_hash is double, but int64 is wanted"),
        ("occurred_at", pa.string(), "column occurred_at is string"),
    ],
)
def test_schema_problem_names_what_cannot_be_read(
    column: str, type_: pa.DataType | None, problem: str
) -> None:
    schema = bronze_table(ORDERS, []).schema
    index = schema.get_field_index(column)
    if type_ is None:
        changed = schema.remove(index)
    elif index < 0:
        changed = schema.append(pa.field(column, type_))
    else:
        changed = schema.set(index, pa.field(column, type_))
    assert problem in str(schema_problem(ORDERS, changed))


def test_schema_problem_names_a_column_that_stands_twice() -> None:
    schema = bronze_table(ORDERS, []).schema
    assert (
        schema_problem(ORDERS, schema.append(schema.field("order_id")))
        == "column order_id stands in it twice"
    )
