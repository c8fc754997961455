"""First pass over an event file: where each record lies, when it occurred, and which rows cannot travel."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from lakehouse.catalog import Kind, WireType, load_entities
from lakehouse.grammar import parse_value
from local.csv_files import CsvFile, Record, read_records
from local.shop.clock import read_moment

UNDATED = 1_451_617_200_000_000  # 2016-01-01 00:00 in the shop's time, before anything it sold

_OWN = {  # columns that say when a row occurred: before its order is asked, and after
    "orders": (("order_purchase_timestamp", "order_approved_at", "order_estimated_delivery_date"), ()),
    "order_items": ((), ("shipping_limit_date",)),
    "payments": ((), ()),
    "reviews": (("review_creation_date",), ("review_answer_timestamp",)),
}


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot become a typed event: record number from 0, first line in the file, and why."""

    entity: str
    file: str
    record: int
    line: int
    reason: str
    cells: tuple[str, ...]


@dataclass
class StreamIndex:
    """Per record number: its bytes and its moment (microseconds UTC); `good` are the numbers that travel.

    Some 30 bytes a record: what lets the whole stream be put in the order of time without holding it.
    """

    file: CsvFile
    starts: "array[int]" = field(default_factory=lambda: array("q"))
    ends: "array[int]" = field(default_factory=lambda: array("q"))
    moments: "array[int]" = field(default_factory=lambda: array("q"))
    good: "array[int]" = field(default_factory=lambda: array("q"))
    refused: list[RefusedRow] = field(default_factory=list)


def index_stream(file: CsvFile, bought: dict[str, int]) -> StreamIndex:
    """The index of one file. `bought` gives the moment of each order; the orders' own pass fills it."""
    index = StreamIndex(file)
    moment = _MomentReader(file, bought)
    entity = file.form.entity
    own_id = file.place("order_id") if entity == "orders" else None
    whole = whole_number_places(file)
    for record in read_records(file):
        index.starts.append(record.start)
        index.ends.append(record.end)
        reason = _why_refused(file, record, whole)
        if reason is not None:
            path, cells = file.path.name, tuple(record.cells)
            index.refused.append(RefusedRow(entity, path, record.number, record.line, reason, cells))
            index.moments.append(moment.last)
            continue
        occurred_at = moment.read(record.cells)
        index.moments.append(occurred_at)
        index.good.append(record.number)
        if own_id is not None:
            bought[record.cells[own_id]] = occurred_at
    return index


@lru_cache(maxsize=4096)  # item numbers, instalments and scores repeat without end
def whole_number(text: str) -> int | None:
    """The int64 of a cell by the lake's strict grammar, or None."""
    value = parse_value(Kind.INT64, text)
    return value if isinstance(value, int) else None


def whole_number_places(file: CsvFile) -> tuple[int, ...]:
    """Places of the columns that travel as int64."""
    fields = load_entities()[file.form.entity].fields
    return tuple(file.place(f.name) for f in fields if f.wire is WireType.INT64)


class _MomentReader:
    """When rows of one file occurred, by the table at the top of `feed`."""

    def __init__(self, file: CsvFile, bought: dict[str, int]) -> None:
        before, after = _OWN[file.form.entity]
        order = file.place("order_id")
        self.last = UNDATED
        self._sources: list[Callable[[Sequence[str]], int | None]] = [_cell(file.place(c)) for c in before]
        if file.form.entity != "orders":
            self._sources.append(lambda cells: bought.get(cells[order]))
        self._sources.extend(_cell(file.place(c)) for c in after)

    def read(self, cells: Sequence[str]) -> int:
        """The moment of a row; that of the row before where nothing in it can be read."""
        for source in self._sources:
            moment = source(cells)
            if moment is not None:
                self.last = moment
                break
        return self.last


def _cell(place: int) -> Callable[[Sequence[str]], int | None]:
    return lambda cells: read_moment(cells[place])


def _why_refused(file: CsvFile, record: Record, whole: Sequence[int]) -> str | None:
    cells = record.cells
    if len(cells) != len(file.columns):
        return f"it has {len(cells)} cells where the header has {len(file.columns)}"
    for place in whole:
        if cells[place] and whole_number(cells[place]) is None:
            return f"{file.columns[place]} is {cells[place]!r}, which is no whole number"
    return None
