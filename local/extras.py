"""Columns that came without being in a contract: how many rows have them, and what the contract would have to say."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from adapters.ledger import Ledger, reports
from lakehouse.bronze import EXTRAS, RESERVED_NAMES
from lakehouse.catalog import Kind
from lakehouse.grammar import parse_value
from lakehouse.split import UNKNOWN
from local.gold import file_pattern
from local.lake import OBJECT_ROWS, Lake

_BATCH = 10_000  # rows at a time: a few MB
_EXAMPLES = 3
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DECIMAL_DIGITS = 38  # the most that a contract may ask for


@dataclass(frozen=True)
class UnknownColumn:
    """A column by name, the rows of Silver and Quarantine that have it, and a type that takes every value so far."""

    entity: str
    name: str
    rows: int
    logical_type: str
    physical_type: str
    examples: tuple[str, ...]

    def snippet(self) -> str:
        """A column for the contract's `properties`; who knows the data writes the description."""
        known = _NAME.fullmatch(self.name) and self.name not in RESERVED_NAMES
        name = self.name if known else _contract_name(self.name)
        lines = [
            f"- name: {name}"
            + ("" if known else f"  # stands in the file as {json.dumps(self.name)}: name it so there"),
            f"  businessName: {name.replace('_', ' ')}",
            f"  logicalType: {self.logical_type}",
            *([f"  physicalType: {self.physical_type}"] if self.physical_type else []),
            "  required: false",
            f"  description: {json.dumps(f'To be written; came as {self.examples[0]}.', ensure_ascii=False)}",
        ]
        return "\n".join(f"      {line}" for line in lines)


def unknown_columns(lake: Lake, ledger: Ledger) -> list[UnknownColumn]:
    """By entity and name."""
    files: dict[str, list[str]] = {}
    for bucket, committed in (
        (lake.buckets.silver, _silver_with_extras(ledger)),
        (lake.buckets.quarantine, reports.committed_quarantine(ledger)),
    ):
        for entity, keys in committed.items():
            files.setdefault(entity, []).extend(file_pattern(str(lake.file(bucket, key))) for key in keys)
    return [column for entity in sorted(files) for column in _read(entity, files[entity])]


def unknown_counts(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Rows of Silver by entity and unknown column, from the ledger alone."""
    found: dict[str, dict[str, int]] = {}
    for entity, severity, rule, rows in reports.rows_by_rule(ledger):
        if severity == "warn" and rule.endswith(UNKNOWN):
            found.setdefault(entity, {})[rule.removesuffix(UNKNOWN)] = rows
    return found


def _silver_with_extras(ledger: Ledger) -> Mapping[str, Sequence[str]]:
    counts = unknown_counts(ledger)
    return {entity: keys for entity, keys in reports.committed_silver(ledger).items() if entity in counts}


def _read(entity: str, files: Sequence[str]) -> Iterator[UnknownColumn]:
    seen: dict[str, _Seen] = {}
    for members in _objects(files):
        for name, value in members.items():
            seen.setdefault(name, _Seen()).add(value if isinstance(value, str) else json.dumps(value))
    for name, found in sorted(seen.items()):
        yield UnknownColumn(entity, name, found.rows, *found.type(), tuple(found.examples))


@dataclass
class _Seen:
    """What is known of a column after so many values."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=lambda: [Kind.INT64, Kind.TIMESTAMP, Kind.DOUBLE])
    whole: int = 0
    scale: int = 0

    def add(self, value: str) -> None:
        self.rows += 1
        if len(self.examples) < _EXAMPLES and value not in self.examples:
            self.examples.append(value)
        self.kinds = [kind for kind in self.kinds if parse_value(kind, value) is not None]
        if self.kinds:
            whole, _, fraction = value.removeprefix("-").partition(".")
            self.whole, self.scale = max(self.whole, len(whole)), max(self.scale, len(fraction))
            if "e" in value.lower():
                self.scale = _DECIMAL_DIGITS

    def type(self) -> tuple[str, str]:
        """The narrowest type whose grammar takes every value."""
        if not self.kinds:
            return "string", ""
        if self.kinds[0] is not Kind.DOUBLE:
            return {Kind.INT64: "integer", Kind.TIMESTAMP: "timestamp"}[self.kinds[0]], ""
        digits = self.whole + self.scale
        return "number", f"decimal({digits},{self.scale})" if digits <= _DECIMAL_DIGITS else "double"


def _objects(files: Sequence[str]) -> Iterator[dict[str, Any]]:
    # the empty part names the column: files of before have none
    sql = f"""select {EXTRAS} from (
                select cast(null as varchar) as {EXTRAS} where false
                union all by name select * from {OBJECT_ROWS})
              where {EXTRAS} is not null"""
    with duckdb.connect() as db:
        cursor = db.execute(sql, [files])
        while batch := cursor.fetchmany(_BATCH):
            for (text,) in batch:
                yield json.loads(text, parse_float=str, parse_int=str)


def _contract_name(name: str) -> str:
    letters = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return (
        f"column_{letters}" if not letters or letters[0].isdigit() or letters in RESERVED_NAMES else letters
    )
