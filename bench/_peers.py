"""What other engines take for the same rules over the same Bronze file: read, cast, judge, write two files.

Each reads text as it was sent, casts it as its users do, and splits the rows by the contract's rules of severity error.
Imports are made before the clock starts: Great Expectations alone needs 7 seconds for them.
"""

import logging
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.catalog import Entity, Field, Kind, Rule
from lakehouse.compilers import expectations
from lakehouse.compilers.grammar_patterns import grammar_pattern
from lakehouse.compilers.targets import Concern, NotExpressible, concerns, fields_of

_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"


@dataclass(frozen=True)
class PeerRun:
    """One run. `reasons`: whether each failed row's rules are known afterwards.

    `lost` rows of this file are in neither output; `loses_nulls`: any row whose verdict is null would be.
    """

    name: str
    seconds: float
    cpu_seconds: float
    failed: int
    lost: int
    reasons: bool
    loses_nulls: bool = False
    left_out: tuple[str, ...] = ()  # rules that it cannot say


def great_expectations(source: Path, entity: Entity, folder: Path) -> PeerRun:
    """The suite of the entity on pandas, all failing rows asked for."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    fields, wanted, left_out = fields_of(entity), [], []
    for concern in _errors(entity):
        found = _over_texts(concern, fields)
        if isinstance(found, NotExpressible):
            left_out.append(concern.rule.id)
        else:
            wanted += expectations.entries(concern.rule, found)
    suite = gx.ExpectationSuite(name=entity.name, expectations=wanted)
    if len(suite.expectations) != len(wanted):
        raise SystemExit("Great Expectations dropped expectations of the suite")
    asset = context.data_sources.add_pandas("bronze").add_dataframe_asset(entity.name)
    batches = asset.add_batch_definition_whole_dataframe("file")

    def judge(frame: Any) -> Iterable[Any]:
        answer = batches.get_batch({"dataframe": frame}).validate(
            suite, result_format={"result_format": "COMPLETE", "exclude_unexpected_values": True}
        )
        for result in answer.results:
            if result.exception_info.get("raised_exception"):
                raise SystemExit(f"Great Expectations: {result.exception_info}")
            yield result.result["unexpected_index_list"]

    return _on_pandas("Great Expectations", source, entity, folder, judge, tuple(left_out))


def pandera(source: Path, entity: Entity, folder: Path) -> PeerRun:
    """A schema of pandera on pandas, validated lazily: all failure cases with their checks."""
    # CDK holds typeguard at an older version than pandera likes; no generic types are validated here
    warnings.filterwarnings("ignore", message="Using typeguard")
    import pandera.pandas as schemas
    from pandera.errors import SchemaErrors

    fields, left_out = fields_of(entity), []
    columns: dict[str, Any] = {}
    whole: list[Any] = []
    for concern in _errors(entity):
        rule = concern.rule
        check = _pandera_check(schemas, rule, fields[rule.column])
        if check is None or rule.when is not None:
            left_out.append(rule.id)
        elif rule.kind == "compare":
            whole.append(check)
        else:
            name = f"{rule.column}__text" if rule.kind in ("not_null", "castable") else rule.column
            columns.setdefault(name, []).append(check)
    schema = schemas.DataFrameSchema(
        {
            name: schemas.Column(checks=checks, nullable=True, required=True)
            for name, checks in columns.items()
        },
        checks=whole,
    )

    def judge(frame: Any) -> Iterable[Any]:
        try:
            schema.validate(frame, lazy=True)
        except SchemaErrors as errors:
            yield errors.failure_cases["index"].dropna().unique()

    return _on_pandas("pandera", source, entity, folder, judge, tuple(left_out))


def duckdb_split(source: Path, entity: Entity, folder: Path) -> PeerRun:
    """Two statements, `where rules` and `where not (rules)`: rows whose verdict is null are in neither file."""
    import duckdb

    fields, rules, left_out = fields_of(entity), [], []
    for concern in _errors(entity):
        said = _sql(concern.rule, fields[concern.rule.column])
        if said is None or concern.rule.when is not None:
            left_out.append(concern.rule.id)
        else:
            rules.append(said)
    typed = [f"{_sql_cast(f)} as {f.name}" for f in entity.fields]
    raw = [f"{f.name} as {f.name}__text" for f in entity.fields]
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as database:
        began, cpu = time.perf_counter(), time.process_time()
        database.execute(
            f"create view judged as select {', '.join([*typed, *raw])} from read_parquet('{source}')"
        )
        counts = []
        for name, condition in (
            ("passed", " and ".join(rules)),
            ("failed", f"not ({' and '.join(rules)})"),
        ):
            columns = ", ".join(f.name if name == "passed" else f"{f.name}__text" for f in entity.fields)
            target = folder / f"{name}.parquet"
            written = database.execute(
                f"copy (select {columns} from judged where {condition}) to '{target}' (format parquet)"
            ).fetchone()
            counts.append(written[0] if written else 0)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    rows = pq.read_metadata(source).num_rows
    lost = rows - sum(counts)
    return PeerRun("DuckDB, not(rules)", seconds, cpu_seconds, counts[1], lost, False, True, tuple(left_out))


PEERS: tuple[Callable[[Path, Entity, Path], PeerRun], ...] = (great_expectations, pandera, duckdb_split)


def _errors(entity: Entity) -> list[Concern]:
    """The rules by which rows are split; the file holds no deletes and no former version."""
    found = [c for c in concerns(entity) if c.rule.severity == "error" and not c.only]
    return [Concern(c.rule, deletes=True) for c in found]


def _over_texts(concern: Concern, fields: Any) -> Any:
    """A rule over the frame of `_frame`: what is there and what can be read is asked of the text."""
    found = expectations.translate(concern, fields, texts=True)
    if isinstance(found, NotExpressible) and concern.rule.kind == "castable":
        found = [("expect_column_values_to_not_be_null", {"column": concern.rule.column})]
        rule = replace(concern.rule, kind="not_null")
        present = f"`{rule.column}__text`.notnull()"
        return [
            (kind, kwargs | {"row_condition": present, "condition_parser": "pandas"})
            for kind, kwargs in found
        ]
    if isinstance(found, NotExpressible) or concern.rule.kind not in ("not_null", "castable"):
        return found
    return [(kind, kwargs | {"column": f"{concern.rule.column}__text"}) for kind, kwargs in found]


def _on_pandas(
    name: str,
    source: Path,
    entity: Entity,
    folder: Path,
    judge: Callable[[Any], Iterable[Any]],
    left_out: tuple[str, ...],
) -> PeerRun:
    folder.mkdir(parents=True, exist_ok=True)
    began, cpu = time.perf_counter(), time.process_time()
    table = pq.read_table(source)
    frame = _frame(table, entity)
    failed = np.zeros(len(frame), bool)
    for rows in judge(frame):
        failed[np.asarray(rows, np.int64)] = True
    typed = frame[[f.name for f in entity.fields]]
    pq.write_table(pa.Table.from_pandas(typed[~failed], preserve_index=False), folder / "passed.parquet")
    pq.write_table(table.filter(pa.array(failed)), folder / "failed.parquet")
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return PeerRun(name, seconds, cpu_seconds, int(failed.sum()), 0, True, left_out=left_out)


def _frame(table: pa.Table, entity: Entity) -> Any:
    """Each column cast as pandas casts it, beside its text as it was sent; missing text is null."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for field in entity.fields:
        texts = table[field.name].cast(pa.string()).to_pandas().replace("", None)
        columns[f"{field.name}__text"] = texts
        match field.kind:
            case Kind.TEXT:
                columns[field.name] = texts
            case Kind.TIMESTAMP:
                columns[field.name] = pd.to_datetime(
                    texts, format="%Y-%m-%d %H:%M:%S", errors="coerce", utc=True
                )
            case _:
                columns[field.name] = pd.to_numeric(texts, errors="coerce")
    return pd.DataFrame(columns)


def _pandera_check(schemas: Any, rule: Rule, field: Field) -> Any:
    args = rule.args
    named = {"name": rule.id, "ignore_na": True}
    match rule.kind:
        case "not_null":
            return schemas.Check(lambda texts: texts.notnull(), name=rule.id, ignore_na=False)
        case "castable":
            pattern = grammar_pattern(field.kind, field.precision, field.scale) or _NUMBER
            return schemas.Check.str_matches(rf"\A(?:{pattern})\Z", **named)
        case "regex":
            return schemas.Check.str_matches(rf"\A(?:{args['pattern']})\Z", **named)
        case "in_set":
            return schemas.Check.isin(args["values"], **named)
        case "not_in_set":
            return schemas.Check.notin(args["values"], **named)
        case "length":
            return schemas.Check.str_length(args.get("min"), args.get("max"), **named)
        case "between":
            least, most = (_pandas_bound(field, args.get(side)) for side in ("min", "max"))
            return schemas.Check(_within(least, most, args), **named)
        case "compare":
            compare = _COMPARE[args["operator"]]
            return schemas.Check(
                lambda frame: (
                    compare(frame[rule.column], frame[args["other"]])
                    | frame[[rule.column, args["other"]]].isnull().any(axis=1)
                ),
                name=rule.id,
            )
    return None


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _within(least: Any, most: Any, args: Any) -> Callable[[Any], Any]:
    def within(values: Any) -> Any:
        found = values.notnull()
        if least is not None:
            found &= values > least if args.get("strict_min") else values >= least
        if most is not None:
            found &= values < most if args.get("strict_max") else values <= most
        return found

    return within


def _pandas_bound(field: Field, text: str | None) -> Any:
    import pandas as pd

    if text is None:
        return None
    return pd.Timestamp(text, tz="UTC") if field.kind is Kind.TIMESTAMP else float(text)


def _sql_cast(field: Field) -> str:
    types = {
        Kind.TEXT: "varchar",
        Kind.INT64: "bigint",
        Kind.DOUBLE: "double",
        Kind.TIMESTAMP: "timestamp",
        Kind.DECIMAL: f"decimal({field.precision}, {field.scale})",
    }
    return f"try_cast({field.name} as {types[field.kind]})"


def _sql(rule: Rule, field: Field) -> str | None:
    """The rule as a user writes it in SQL: a null makes it null."""
    args, column = rule.args, rule.column
    match rule.kind:
        case "not_null":
            return f"{column}__text is not null"
        case "castable":
            return f"({column} is not null or {column}__text is null)"
        case "regex":
            return f"regexp_full_match({column}, {_quoted(args['pattern'])})"
        case "not_regex":
            return f"not regexp_full_match({column}, {_quoted(args['pattern'])})"
        case "in_set" | "not_in_set":
            values = ", ".join(_quoted(v) if field.kind is Kind.TEXT else str(v) for v in args["values"])
            return f"{column} {'not ' if rule.kind == 'not_in_set' else ''}in ({values})"
        case "length":
            return f"length({column}) between {args.get('min', 0)} and {args.get('max', 2**31)}"
        case "between":
            cast = "timestamp " if field.kind is Kind.TIMESTAMP else ""
            parts = []
            for side, sign in (("min", ">"), ("max", "<")):
                if side in args:
                    operator = sign if args.get(f"strict_{side}") else f"{sign}="
                    bound = _quoted(args[side]) if cast else args[side]
                    parts.append(f"{column} {operator} {cast}{bound}")
            return f"({' and '.join(parts)})"
        case "compare":
            return f"{column} {args['operator']} {args['other']}"
    return None


def _quoted(text: Any) -> str:
    return "'" + re.sub("'", "''", str(text)) + "'"
