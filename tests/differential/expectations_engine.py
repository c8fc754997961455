"""Great Expectations on pandas as an engine of the differential test: one validation for all tables of a contract."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any

import pandas as pd
import pyarrow as pa

from lakehouse.catalog import Field, Kind, Rule
from lakehouse.compilers.expectations import entries, translate
from lakehouse.compilers.targets import NotExpressible, concerns, fields_of
from lakehouse.rules.registry import columns_of
from tests.differential.silver import ROW, TABLE, Stacked

Found = Mapping[str, set[tuple[int, int]]]
"""By a rule's id the rows that break it: table and row. Rules that the engine cannot say are not in it."""


def silver_answers(made: Stacked) -> Found:
    """Over rows in Silver's types."""
    fields = fields_of(made.entity)
    wanted = {c.rule.id: translate(c, fields) for c in concerns(made.entity)}
    return _validated(made.typed, fields, _expectations(made, wanted), wanted)


def text_answers(made: Stacked) -> Found:
    """Over text as it was sent: what is there, what can be read, and rules about text alone."""
    fields = fields_of(made.entity)

    def speaks_of_text(rule: Rule) -> bool:
        on_text = all(fields[name].kind is Kind.TEXT for name in columns_of(rule))
        return on_text or (rule.kind in ("castable", "not_null", "null") and rule.when is None)

    said = [c for c in concerns(made.entity) if speaks_of_text(c.rule)]
    wanted = {c.rule.id: translate(c, fields, texts=True) for c in said}
    texts = {name: Field(name, 0, Kind.TEXT, False, None, name, name) for name in fields}
    return _validated(made.texts, texts, _expectations(made, wanted), wanted)


def _expectations(made: Stacked, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    rules = {rule.id: rule for rule in made.entity.rules}
    return [
        entry
        for id_, found in wanted.items()
        if not isinstance(found, NotExpressible)
        for entry in entries(rules[id_], found)
    ]


def _validated(
    table: pa.Table,
    fields: Mapping[str, Field],
    expectations: list[dict[str, Any]],
    wanted: Mapping[str, Any],
) -> Found:
    frame = a_frame(table, fields)
    answer = {id_: set[int]() for id_, found in wanted.items() if not isinstance(found, NotExpressible)}
    validate = _validator()
    for result in validate(frame, expectations):
        if result.exception_info.get("raised_exception") or "unexpected_index_list" not in result.result:
            raise AssertionError(f"{result.expectation_config}: {result.exception_info}")
        answer[result.expectation_config.meta["rule"]] |= set(result.result["unexpected_index_list"])
    places = list(zip(frame[TABLE].tolist(), frame[ROW].tolist(), strict=True))
    return {id_: {places[row] for row in rows} for id_, rows in answer.items()}


def a_frame(table: pa.Table, fields: Mapping[str, Field]) -> pd.DataFrame:
    """Silver as the suites read it: Python's objects, floats, moments as UTC."""
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        if name in fields and fields[name].kind is Kind.TIMESTAMP:
            columns[name] = column.cast(pa.timestamp("us", "UTC")).to_pandas()
        elif pa.types.is_floating(column.type):
            columns[name] = column.to_pandas()
        else:
            columns[name] = pd.Series(column.to_pylist(), dtype=object)
    return pd.DataFrame(columns)


@cache
def _validator() -> Callable[[pd.DataFrame, list[dict[str, Any]]], Any]:
    """Validates a frame; made once, as the import takes 7 s."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with _unwarned():
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("made")
    numbers = count()
    asked = {"result_format": "COMPLETE", "exclude_unexpected_values": True}

    def validate(frame: pd.DataFrame, expectations: list[dict[str, Any]]) -> Any:
        with _unwarned():
            return validated(frame, expectations)

    def validated(frame: pd.DataFrame, expectations: list[dict[str, Any]]) -> Any:
        suite = gx.ExpectationSuite(name="rules", expectations=expectations)
        assert len(suite.expectations) == len(expectations), "Great Expectations dropped expectations"
        if not expectations:
            return []
        # Of its own: what was computed is remembered by the name of an asset.
        asset = source.add_dataframe_asset(f"up_{next(numbers)}")
        batches = asset.add_batch_definition_whole_dataframe("whole")
        return batches.get_batch({"dataframe": frame}).validate(suite, result_format=asked).results

    return validate


@contextmanager
def _unwarned() -> Iterator[None]:
    """Great Expectations imports what Python deprecates, and pandas warns of groups in patterns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
