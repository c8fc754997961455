"""Writes the Parquet files of a build's published tables: all of them, or those that an increment has changed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from local.dbt_build import BuiltModel, DbtOutcome
from local.gold import ModelDoc

WHOLE = "all"  # the part of a table that is not split, or has no rows


@dataclass(frozen=True)
class BuiltFile:
    """A Parquet file in the work folder; SHA-256 in hex. The same rows give the same file."""

    path: Path
    rows: int
    digest: str


@dataclass(frozen=True)
class BuiltTable:
    """A published table. `files` by part; those of `unchanged` parts are the ones published before."""

    doc: ModelDoc
    files: Mapping[str, BuiltFile]
    unchanged: frozenset[str] = frozenset()


def write_tables(built: DbtOutcome, folder: Path, *, full: bool) -> tuple[BuiltTable, ...]:
    """Files of every published model of a build."""
    published = [model for model in built.models if model.published]
    return tuple(_write_table(built, model, folder, full) for model in published)


def _write_table(built: DbtOutcome, model: BuiltModel, folder: Path, full: bool) -> BuiltTable:
    changed = None if full or model.unit is None else changed_parts(built, model)
    parts = _parts(built, model)
    rewritten = parts if changed is None else parts & changed
    files = {part: _write(built, model, part, folder) for part in sorted(rewritten)}
    return BuiltTable(model.doc, files, frozenset(parts - rewritten))


def _parts(built: DbtOutcome, model: BuiltModel) -> set[str]:
    if model.partition is None:
        return {WHOLE}
    return _column(built, f"select distinct {model.partition} from {model.name}") or {WHOLE}


def changed_parts(built: DbtOutcome, model: BuiltModel) -> set[str]:
    """Parts that a row has left or entered. A table that was empty had the part `all`, and now has others."""
    before, after = f"{model.name}__before", f"{model.name}__after"
    changed = f"((from {before} except from {after}) union all (from {after} except from {before}))"
    return _column(built, f"select distinct {model.partition or _text(WHOLE)} from {changed}")


def _write(built: DbtOutcome, model: BuiltModel, part: str, folder: Path) -> BuiltFile:
    only = f"where {model.partition} = {_text(part)}" if model.partition and part != WHOLE else ""
    path = folder / model.name / f"{part}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    built.database.execute(
        f"copy (from {model.name} {only} order by all) to {_text(str(path))} (format parquet, compression snappy)"
    )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BuiltFile(path, pq.read_metadata(path).num_rows, digest)


def _column(built: DbtOutcome, sql: str) -> set[Any]:
    return {value for (value,) in built.database.execute(sql).fetchall()}


def _text(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
