"""CSV → Bronze: a batch file is a log of its own, its records are its offsets; the same file twice changes nothing."""

import csv
import hashlib
import json
import logging
import mmap
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bronze_writer.csv_records import Records, cut_records, record_bytes
from bronze_writer.lake import PatientStore, Store
from bronze_writer.landing import Encoded, Place, land, newest_object_of_day
from bronze_writer.rows import encode_table, event_ids_of_positions, position_columns, sum_of
from lakehouse.bronze import BronzeMetadata, bronze_schema
from lakehouse.catalog import Entity
from lakehouse.errors import InputError, LakeError
from lakehouse.identity import RowHasher, add_sums
from lakehouse.paths import BronzeKey, LoadManifestKey, day_of
from lakehouse.wire import UPSERT

_log = logging.getLogger(__name__)

OBJECT_ROWS = 250_000  # some 40 MB of Arrow at Olist's widths: what a load may hold in memory
PATIENCE_S = 180.0  # a store that is restarted is back within a minute or two
SOURCE = "load"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Manifest:
    """What the first load of a file fixed for ever: `as_of` (ms UTC) is broker time and, in µs, `occurred_at`."""

    name: str
    size: int
    records: int
    as_of: int
    contract_version: str
    header: tuple[str, ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From the JSON that stands in the lake."""
        document = json.loads(body)
        return cls(**{**document, "header": tuple(document["header"])})


@dataclass(frozen=True)
class LoadReport:
    """What became of a file. `landed_now` is False when the lake held it already; `raw` counts unreadable records."""

    entity: str
    log: str
    topic: str
    sha256: str
    records: int
    raw: int
    objects: int
    landed_now: bool


def load_file(
    path: Path,
    entity: Entity,
    store: Store,
    bucket: str,
    *,
    now: Callable[[], datetime],
    progress: Progress = lambda done, total: None,
    archive: Path | None = None,
    purge: bool = False,
    object_rows: int = OBJECT_ROWS,
) -> LoadReport:
    """Lands a CSV file, verifies it against its source, and only then archives or purges it.

    Idempotent and safe to run twice at once. InputError before anything is written when the file is not a CSV of this
    entity; LakeError when the store stays away, or Bronze does not hold what the file does.
    """
    if archive and purge:
        raise InputError("Choose one of archive and purge: a file cannot be both kept and deleted.")
    with _opened(path) as data:
        view = memoryview(data)
        try:
            records = cut_records(view)
            header = _read_header(path, entity, records)
            _require_whole(path, records, len(data))
            report = _land(path, entity, PatientStore(store, bucket, PATIENCE_S), view, records, header, now,
                           progress, object_rows)
        finally:
            view.release()
    if archive:
        _archive(path, archive, report)
    elif purge:
        path.unlink()
    return report


def _land(
    path: Path,
    entity: Entity,
    store: PatientStore,
    data: memoryview,
    records: Records,
    header: tuple[str, ...],
    now: Callable[[], datetime],
    progress: Progress,
    object_rows: int,
) -> LoadReport:
    sha256 = hashlib.sha256(data).hexdigest()
    manifest_key = LoadManifestKey(entity.name, sha256)
    as_of = int(now().timestamp() * 1000)
    ours = Manifest(path.name, len(data), len(records), as_of, entity.version, header)
    manifest = _settle_manifest(store, manifest_key, ours)
    place = Place(entity.name, manifest_key.log, entity.topic, 0)
    known = newest_object_of_day(store, entity.name, day_of(manifest.as_of), place.log)
    batches = _batches(place, entity, manifest, data, records, known, object_rows)
    raw = landed = objects = 0
    hash_sum = 0
    end = known.end_offset if known else 0
    for batch in batches:
        landing = land(store, place, [batch], end)
        end, landed, objects = landing.end, landed + landing.rows, objects + landing.objects
        raw += batch.raw
        progress(min(end, len(records)), len(records))
    hash_sum = _source_sum(place, data, records)
    _verify(store, place, manifest, hash_sum)
    _log.info("file loaded", extra={"file": path.name, "log": place.log, "records": len(records), "landed": landed})
    return LoadReport(entity.name, place.log, place.topic, sha256, len(records), raw, objects, landed > 0)


@dataclass(frozen=True)
class _RecordBatch:
    """Records `[first_offset, end_offset)` of a file, as `landing.Batch`."""

    place: Place
    entity: Entity
    manifest: Manifest
    data: memoryview
    records: Records
    first_offset: int
    end_offset: int
    void_reason: str = ""

    @property
    def first_broker_time(self) -> int:
        """The load's as-of time, in ms."""
        return self.manifest.as_of

    @property
    def raw(self) -> int:
        """Records that are no row of the entity."""
        return sum(isinstance(cells, str) for cells in self._cells)

    def from_offset(self, offset: int) -> Self:
        """The records from this one on."""
        return replace(self, first_offset=offset)

    def encode(self) -> Encoded:
        """The records as a Bronze object of text columns."""
        columns = self._columns()
        schema = bronze_schema(self.entity, all_text=True)
        table = pa.table([columns[name] for name in schema.names], schema=schema)
        return encode_table(table, columns["row_hash"].to_numpy())

    def _bytes(self) -> Iterator[bytes]:
        return record_bytes(self.data, self.records, self.first_offset, self.end_offset)

    @cached_property
    def _cells(self) -> list[list[str] | str]:
        """Cells of each record, or the reason why it has none."""
        cells = [_cells_of(record, len(self.manifest.header)) for record in self._bytes()]
        if self.end_offset == len(self.records) and not self.records.complete:
            cells[-1] = "a quote is opened and never closed"
        return cells

    def _columns(self) -> dict[str, pa.Array]:
        rows = self.end_offset - self.first_offset
        cells = self._cells
        reasons = [c if isinstance(c, str) else None for c in cells]
        raws = [r if reason is not None else None for r, reason in zip(self._bytes(), reasons, strict=True)]
        empty: list[str | None] = [None] * len(self.manifest.header)
        turned = zip(*(empty if isinstance(c, str) else c for c in cells), strict=True)
        columns = {name: pa.array(v, pa.string()) for name, v in zip(self.manifest.header, turned, strict=True)}
        hasher = RowHasher(self.place.log, self.place.topic, 0)
        hashes = [hasher.hash(o, r) for o, r in enumerate(self._bytes(), self.first_offset)]
        offsets = np.arange(self.first_offset, self.end_offset, dtype=np.int64)
        return {
            **columns,
            **position_columns(self.place, offsets),
            "event_id": event_ids_of_positions(self.place, offsets.tolist()),
            "occurred_at": pa.repeat(pa.scalar(self.manifest.as_of * 1000, pa.int64()), rows),
            "broker_time": pa.repeat(pa.scalar(self.manifest.as_of, pa.int64()), rows),
            "source": pa.repeat(pa.scalar(SOURCE, pa.string()), rows),
            "op": pa.repeat(pa.scalar(UPSERT, pa.string()), rows),
            "contract_version": pa.repeat(pa.scalar(self.manifest.contract_version, pa.string()), rows),
            "registry_id": pa.nulls(rows, pa.string()),
            "row_hash": pa.array(hashes, pa.int64()),
            "raw": pa.array(raws, pa.binary()),
            "raw_reason": pa.array(reasons, pa.string()),
        }


def _batches(
    place: Place,
    entity: Entity,
    manifest: Manifest,
    data: memoryview,
    records: Records,
    known: BronzeMetadata | None,
    object_rows: int,
) -> Iterator[_RecordBatch]:
    first = known.end_offset if known else 0
    for start in range(first, len(records), object_rows):
        end = min(start + object_rows, len(records))
        yield _RecordBatch(place, entity, manifest, data, records, start, end)


def _cells_of(record: bytes, wanted: int) -> list[str] | str:
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} of the record is not UTF-8"
    # one record never holds more than one row: line breaks outside quotes end it
    cells = next(csv.reader([text], strict=False), []) if text else [""]
    if len(cells) != wanted:
        return f"the record has {len(cells)} cells instead of {wanted}"
    return cells


def _read_header(path: Path, entity: Entity, records: Records) -> tuple[str, ...]:
    try:
        text = records.header.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: its first line is not UTF-8. Save the file as UTF-8 and load it again.") from error
    found = next(csv.reader([text]), [])
    wanted = [f.name for f in entity.fields]
    if len(found) == 1 and len(wanted) > 1:
        for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if delimiter in text:
                raise InputError(f"{path}: its cells are separated by {name}. Save it with commas and load it again.")
    for problem, names in (
        ("lacks", [n for n in wanted if n not in found]),
        ("has unknown", [n for n in found if n not in wanted]),
        ("doubles", sorted({n for n in found if found.count(n) > 1})),
    ):
        if names:
            raise InputError(
                f"{path}: its first line {problem} columns {', '.join(map(repr, names))}. A file of {entity.name} "
                f"has {', '.join(wanted)}; found {', '.join(map(repr, found))}."
            )
    return tuple(found)


def _require_whole(path: Path, records: Records, size: int) -> None:
    if records.record_bytes + records.separators != size:
        raise LakeError(f"{path}: {size} bytes were cut into records of {records.record_bytes}: nothing was written")


def _settle_manifest(store: PatientStore, key: LoadManifestKey, ours: Manifest) -> Manifest:
    """Ours, or the one that came first."""
    body = json.dumps(asdict(ours), indent=1).encode()
    if store.put_new(str(key), body) is not None:
        return ours
    there = store.get(str(key))
    if there is None:
        raise LakeError(f"{key} was removed while it was read: does somebody remove Bronze objects?")
    return Manifest.parse(there)


def _source_sum(place: Place, data: memoryview, records: Records) -> tuple[int, int]:
    """Records and the sum of their hashes, from the file's own bytes."""
    hasher = RowHasher(place.log, place.topic, 0)
    hashes = [hasher.hash(o, r) for o, r in enumerate(record_bytes(data, records, 0, len(records)))]
    return len(hashes), add_sums(*hashes) if hashes else 0


def _verify(store: PatientStore, place: Place, manifest: Manifest, source: tuple[int, int]) -> None:
    """Reads back what stands in Bronze and compares it with the file."""
    rows, total = 0, 0
    day = day_of(manifest.as_of)
    while rows < source[0]:
        key = str(BronzeKey(place.entity, day, place.log, 0, rows))
        body = store.get(key)
        if body is None:
            raise LakeError(f"{key} is missing: the file is not whole in Bronze. Load it again.")
        column = pq.read_table(BytesIO(body), columns=["row_hash"], use_threads=False)["row_hash"]
        rows, total = rows + len(column), add_sums(total, sum_of(column.to_numpy()))
    if (rows, total) != source:
        raise LakeError(
            f"Bronze holds {rows} rows (sum {total}) of {place.log}, the file {source[0]} (sum {source[1]}): "
            "the file was not touched"
        )


def _archive(path: Path, folder: Path, report: LoadReport) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.move(path, folder / f"{report.sha256[:16]}-{path.name}")


class _opened:  # noqa: N801 - reads as a verb where it is used
    """The bytes of a file, mapped; InputError when it cannot be read or is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> mmap.mmap:
        try:
            with self._path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise InputError(f"{self._path} is empty: there is nothing to load.") from error
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}.") from error
        return self._map

    def __exit__(self, *_: Sequence[object]) -> None:
        self._map.close()
