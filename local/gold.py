"""Published Gold as readers see it: `published.json` names the files of each table, and nothing else is Gold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, Self

import duckdb

from lakehouse.errors import InputError, LakeError
from lakehouse.paths import PUBLISHED_GOLD


class NoGold(InputError):
    """Nothing has been published yet."""

    def __init__(self) -> None:
        super().__init__("There is no Gold yet: run `nexus model` to build it from what Silver holds.")


class QueryFailed(InputError):
    """The SQL cannot be run; the message ends with the tables there are."""


@dataclass(frozen=True)
class Finding:
    """An oddity between entities that withholds nothing: which test, what it means, how many rows."""

    test: str
    text: str
    rows: int


@dataclass(frozen=True)
class ModelDoc:
    """A model's description (it ends with the grain) and those of its columns."""

    name: str
    description: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class PublishedFile:
    """One Parquet file: key in the Gold bucket, rows, bytes, SHA-256 in hex. Builds that leave it as it is share it."""

    key: str
    rows: int
    size: int
    digest: str


@dataclass(frozen=True)
class PublishedTable:
    """One table: its files by part (an event month, or `all`), description, and what each column holds."""

    files: Mapping[str, PublishedFile]
    description: str
    columns: Mapping[str, str]

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files.values())

    @property
    def keys(self) -> list[str]:
        """Keys of all files, by part."""
        return [file.key for _, file in sorted(self.files.items())]


@dataclass(frozen=True)
class PublishedGold:
    """What `published.json` holds: `published_at` in UTC, ISO 8601; `silver`: the keys it was made of, by entity."""

    build: str
    previous: str | None
    published_at: str
    silver: Mapping[str, Sequence[str]]
    findings: tuple[Finding, ...]
    tables: Mapping[str, PublishedTable]

    def to_text(self) -> str:
        """JSON, the inverse of `from_text`."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """LakeError when the text is not what `to_text` writes."""
        try:
            data = json.loads(text)
            findings = tuple(Finding(**finding) for finding in data.pop("findings"))
            tables = {name: _table_of(table) for name, table in data.pop("tables").items()}
            return cls(findings=findings, tables=tables, **data)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LakeError(
                f"{PUBLISHED_GOLD} in the Gold bucket cannot be read ({error}): run `nexus model` to publish anew."
            ) from error


def _table_of(data: dict[str, Any]) -> PublishedTable:
    files = {part: PublishedFile(**file) for part, file in data.pop("files").items()}
    return PublishedTable(files=files, **data)


class QueryResult(NamedTuple):
    """Column names (made unique) and rows as Python values: Decimal, datetime without zone, None, ..."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Rows as mappings of what JSON can hold: decimals as numbers where those are exact, moments as ISO 8601."""
        return [
            {name: json_value(value) for name, value in zip(self.columns, row, strict=True)}
            for row in self.rows
        ]


def read_published(lake_root: Path, bucket: str) -> PublishedGold | None:
    """What is published in a lake's folder (objects lie at `<lake_root>/lake/<bucket>/<key>`); None when nothing is."""
    path = lake_root / "lake" / bucket / PUBLISHED_GOLD
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LakeError(f"{path} cannot be read ({error.strerror}): mend its permissions.") from error
    return PublishedGold.from_text(text)


def is_published(lake_root: Path, bucket: str) -> bool:
    """Whether there is Gold to read."""
    return read_published(lake_root, bucket) is not None


def silver_keys(lake_root: Path, bucket: str) -> set[str]:
    """Keys of the Silver objects that published Gold was made of; empty without Gold."""
    published = read_published(lake_root, bucket)
    return {key for keys in published.silver.values() for key in keys} if published else set()


def open_gold(lake_root: Path, bucket: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with one view per published table; it reaches no other file and no network.

    The last two builds stay in the lake, so a connection serves until Gold was published twice more. NoGold, or
    LakeError when a file that is published is missing.
    """
    published = read_published(lake_root, bucket)
    if published is None:
        raise NoGold
    folder = lake_root.absolute() / "lake" / bucket
    paths = {name: [folder / key for key in table.keys] for name, table in published.tables.items()}
    every = [path for listed in paths.values() for path in listed]
    missing = [path for path in every if not path.is_file()]
    if missing:
        raise LakeError(f"{missing[0]} is published but missing: run `nexus model` to publish anew.")
    connection = duckdb.connect(
        config={"threads": 2, "memory_limit": "512MB", "python_enable_replacements": False}
    )
    connection.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
    connection.execute("set enable_progress_bar = false")
    # Without this a query that does not fit would spill into a folder made wherever the reader stands.
    connection.execute("set temp_directory = ''")
    # What is asked for is the pattern, what is then opened the file: both must be allowed.
    allowed = [_text(text) for path in every for text in (str(path), file_pattern(str(path)))]
    connection.execute(f"set allowed_paths = [{', '.join(allowed)}]")
    connection.execute("set enable_external_access = false; set lock_configuration = true")
    for name, listed in paths.items():
        files = ", ".join(_text(file_pattern(str(path))) for path in listed)
        # A folder of the path such as `a=b` is no column.
        connection.execute(f'create view "{name}" as from read_parquet([{files}], hive_partitioning = false)')
    return connection


def query(lake_root: Path, bucket: str, sql: str) -> QueryResult:
    """Runs one SELECT (or DESCRIBE, SHOW, SUMMARIZE) over published Gold. NoGold; QueryFailed says what is wrong."""
    with open_gold(lake_root, bucket) as connection:
        return ask(connection, sql)


def ask(connection: duckdb.DuckDBPyConnection, sql: str) -> QueryResult:
    """`query` over a connection of `open_gold`."""
    try:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryFailed(f"Gold is read by one SELECT at a time. {_tables(connection)}")
        cursor = connection.execute(statements[0])
        names = [column[0] for column in cursor.description or ()]
        return QueryResult(_unique(names), cursor.fetchall())
    except duckdb.Error as error:
        raise QueryFailed(f"{str(error).strip()}\n{_tables(connection)}") from error


def json_value(value: Any) -> Any:
    """A value as JSON holds it. A decimal that a double cannot hold exactly stays text, so that no digit is lost."""
    match value:
        case Decimal():
            number = float(value)
            return number if Decimal(repr(number)) == value else str(value)
        case float() if not isfinite(value):
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [json_value(member) for member in value]
        case dict():
            return {str(name): json_value(member) for name, member in value.items()}
        case _:
            return str(value)


def file_pattern(path: str) -> str:
    """The pattern that matches this path alone: DuckDB takes every path to read for a pattern."""
    return path.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")


def _text(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"


def _tables(connection: duckdb.DuckDBPyConnection) -> str:
    names = connection.execute(
        "select view_name from duckdb_views() where not internal order by 1"
    ).fetchall()
    return f"Tables: {', '.join(name for (name,) in names)}."


def _unique(names: Sequence[str]) -> list[str]:
    """Names with _2, _3 behind those seen before."""
    taken: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.append(candidate)
    return taken
