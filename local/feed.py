"""A folder of CSV files as a shop would send it: events in the order of their time, and batch files.

The stream of a folder is the same every time, so a second run sends the same events under the same ids. A generated
shop's `shop.json` adds what happens on the way: late events, resends, corrections, deletes, a clock that is ahead.

When an event occurred (civil time, read as UTC-03:00):
    orders        order_purchase_timestamp, else order_approved_at, else order_estimated_delivery_date
    order_items   its order's moment, else shipping_limit_date
    payments      its order's moment
    reviews       review_creation_date, else its order's moment, else review_answer_timestamp
Where none of these can be read, the moment of the row before it in its file; for a first row, `UNDATED`.
"""

import csv
import mmap
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lakehouse.catalog import load_entities
from lakehouse.errors import InputError
from local.csv_files import CsvFile, open_shop
from local.feed_arrivals import arrivals
from local.feed_index import UNDATED, RefusedRow, StreamIndex, index_stream, whole_number, whole_number_places
from local.feed_story import Extra, FeedStory, read_story
from local.shop.generator import EXPECTATION

__all__ = ["SOURCE", "UNDATED", "Feed", "FeedEvent", "RefusedRow", "open_feed"]

SOURCE = "web-shop"
PLAIN_ONE_IN = 10  # one row in so many takes the plain Kafka producer, chosen by its key

Payload = dict[str, str | int | None]


class FeedEvent(NamedTuple):
    """One event: `occurred_at` in microseconds UTC, `op` upsert or delete; empty cells are absent from the payload.

    `plain` says that it takes the plain Kafka producer instead of gRPC; all versions of a row take the same way.
    """

    entity: str
    source: str
    occurred_at: int
    op: str
    payload: Payload
    plain: bool


@dataclass(frozen=True)
class Feed:
    """A folder, read once and found to be in order.

    `records` counts the records of event files, `events` what `stream` gives (refused rows left out, what happens on
    the way added). `refused` rows cannot be typed events; `notes` say what a person should know. `batch_files` are
    for the loader.
    """

    records: Mapping[str, int]
    events: Mapping[str, int]
    batch_files: Mapping[str, Path]
    refused: tuple[RefusedRow, ...]
    notes: tuple[str, ...]
    _indexes: Sequence[StreamIndex]
    _story: FeedStory
    _stamps: Sequence[tuple[int, int]]

    @property
    def total(self) -> int:
        """How many events `stream` gives."""
        return sum(self.events.values())

    def stream(self) -> Iterator[FeedEvent]:
        """All events in the order they arrive; the same each time. InputError if a file has changed since."""
        for index, stamp in zip(self._indexes, self._stamps, strict=True):
            if _stamp(index.file.path) != stamp:
                raise InputError(f"{index.file.path} has changed while it was read. Run the command again.")
        readers = [_RowReader(index.file) for index in self._indexes]
        with ExitStack() as opened:
            bodies = [_map(opened, index.file.path) for index in self._indexes]
            for chunk in arrivals(self._indexes, self._story):
                texts = [bodies[a.rank][a.start : a.end].decode() for a in chunk]
                for arrival, cells in zip(chunk, csv.reader(texts, strict=True), strict=True):
                    yield readers[arrival.rank].event(cells, arrival.occurred_at, arrival.extra)


def open_feed(folder: Path) -> Feed:
    """Reads a shop's folder through: everything that can be wrong with it is found before an event is sent.

    Raises InputError: folder, file or column missing, wrong delimiter, an empty file, an event file that is not
    UTF-8 or whose quotes make no sense, a `shop.json` of other files. Takes some 4 s for 411,000 events.
    """
    files = open_shop(folder)
    streams = [f for f in files.values() if load_entities()[f.form.entity].delivery == "stream"]
    stamps = [_stamp(file.path) for file in streams]
    bought: dict[str, int] = {}
    indexes = [index_stream(file, bought) for file in streams]  # orders come first: the others ask for theirs
    story = read_story(folder)
    _check_story(folder, story, indexes)
    names = [file.form.entity for file in streams]
    extras = {name: sum(extra.row[0] == name for extra in story.extras) for name in names}
    return Feed(
        records={name: len(index.starts) for name, index in zip(names, indexes, strict=True)},
        events={name: len(index.good) + extras[name] for name, index in zip(names, indexes, strict=True)},
        batch_files={entity: file.path for entity, file in files.items() if entity not in names},
        refused=tuple(row for index in indexes for row in index.refused),
        notes=tuple(_notes(streams)),
        _indexes=indexes,
        _story=story,
        _stamps=stamps,
    )


class _RowReader:
    """Makes events of one entity out of the cells of its records."""

    def __init__(self, file: CsvFile) -> None:
        entity = load_entities()[file.form.entity]
        self._entity = entity.name
        known = {field.name for field in entity.fields}
        # a column that no contract names has no name here either: its cells fall away
        self._names = [column if column in known else "" for column in file.columns]
        self._whole = frozenset(file.columns[place] for place in whole_number_places(file))
        self._key = entity.key

    def event(self, cells: Sequence[str], occurred_at: int, extra: Extra | None) -> FeedEvent:
        """The event of a record, or what the extra makes of it."""
        payload = self._payload(zip(self._names, cells, strict=True))
        plain = self._is_plain(payload)
        if extra is None or extra.kind == "resend":
            return FeedEvent(self._entity, SOURCE, occurred_at, "upsert", payload, plain)
        if extra.kind == "delete":
            key: Payload = {name: payload[name] for name in self._key}
            return FeedEvent(self._entity, SOURCE, occurred_at, "delete", key, plain)
        changed = payload | self._payload(extra.changes.items())
        return FeedEvent(self._entity, SOURCE, occurred_at, "upsert", changed, plain)

    def _payload(self, cells: Iterable[tuple[str, str]]) -> Payload:
        whole = self._whole
        return {name: whole_number(text) if name in whole else text for name, text in cells if text and name}

    def _is_plain(self, payload: Payload) -> bool:
        parts = [payload.get(name) for name in self._key]
        if None in parts:
            return False
        return zlib.crc32("\x1f".join(map(str, parts)).encode()) % PLAIN_ONE_IN == 0


def _check_story(folder: Path, story: FeedStory, indexes: Sequence[StreamIndex]) -> None:
    """Each row of the story must be the row its record number says; else the files are not the ones it tells of."""
    by_entity = {index.file.form.entity: index for index in indexes}
    for (entity, record), key in story.keys.items():
        index = by_entity.get(entity)
        if index is not None and 0 <= record < len(index.starts) and _key_at(index, record) == key:
            continue
        raise InputError(
            f"{folder / EXPECTATION} tells of {entity} record {record}, which is not in the file beside it. "
            "Delete it to send the files as they are, or have the shop made anew."
        )


def _key_at(index: StreamIndex, record: int) -> Mapping[str, str]:
    start, end = index.starts[record], index.ends[record]
    with index.file.path.open("rb") as file:
        file.seek(start)
        cells = next(csv.reader([file.read(end - start).decode()], strict=True))
    return {name: cells[index.file.place(name)] for name in index.file.form.key}


def _notes(files: Sequence[CsvFile]) -> Iterator[str]:
    for file in files:
        if file.extra_columns:
            columns = ", ".join(file.extra_columns)
            yield f"{file.path.name}: no contract names {columns}; its cells are left out of the events"


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _map(opened: ExitStack, path: Path) -> mmap.mmap:
    file = opened.enter_context(path.open("rb"))
    return opened.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
