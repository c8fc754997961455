"""CSV → Bronze: a batch file is a log of its own, its records are its offsets; the same file twice changes nothing."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from bronze_writer.csv_batch import CsvBatch, Origin
from bronze_writer.csv_records import Records
from bronze_writer.csv_source import Survey, read_records, require_unchanged, survey
from bronze_writer.lake import PatientStore, Store
from bronze_writer.landing import Place, land, newest_object_of_day
from bronze_writer.rows import sum_of
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.errors import InputError, LakeError
from lakehouse.identity import add_sums
from lakehouse.paths import BronzeKey, LoadManifestKey, day_of

_log = logging.getLogger(__name__)

# What one object, and so the memory of a load, is bounded by; whichever comes first.
OBJECT_ROWS = 250_000
_OBJECT_BYTES = 32 * 1024 * 1024
# A person waits: a store that is restarted is back well before.
_PATIENCE_S = 60.0

Progress = Callable[[int, int], None]


def _silent(_done: int, _total: int) -> None:
    """No progress."""


@dataclass(frozen=True)
class LoadReport:
    """What became of a file.

    `landed_now` is False when the lake held all of it already. `raw` counts records that are no row of the entity,
    `blank_lines` lines that are no record. `unknown` are columns that the contract does not know, which the check keeps
    in `extras`; `absent` optional ones that the file lacks. `moved_to` is where the file was archived.
    """

    entity: str
    log: str
    topic: str
    sha256: str
    size: int
    records: int
    raw: int
    blank_lines: int
    objects: int
    landed_now: bool
    as_of: int
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    moved_to: Path | None = None
    purged: bool = False


def load_file(
    path: Path,
    entity: Entity,
    store: Store,
    bucket: str,
    *,
    now: Callable[[], datetime],
    progress: Progress = _silent,
    archive: Path | None = None,
    purge: bool = False,
) -> LoadReport:
    """Lands a CSV file, reads back what is in Bronze, compares it with the file, and only then archives or purges it.

    Idempotent, and safe to run twice at once; one that was killed is finished by the next. `progress` is given
    records done and in all. InputError before anything is written when the file is not a CSV of this entity;
    LakeError when the store stays away, or Bronze does not hold what the file does.
    """
    if archive is not None and purge:
        raise InputError("Choose one of archive and purge: a file cannot be both kept and deleted.")
    source = survey(path, entity)
    load = _Load(path, entity, PatientStore(store, bucket, _PATIENCE_S), source, progress)
    report = load.run(now)
    if archive is None and not purge:
        return report
    require_unchanged(path, source)
    if archive is not None:
        return LoadReport(**{**vars(report), "moved_to": _archive(path, archive, report)})
    path.unlink()
    return LoadReport(**{**vars(report), "purged": True})


@dataclass
class _Load:
    """One file on its way. `_rows` and `_sum` are what was read of it so far."""

    path: Path
    entity: Entity
    store: PatientStore
    source: Survey
    progress: Progress
    _rows: int = field(default=0, init=False)
    _sum: int = field(default=0, init=False)

    def run(self, now: Callable[[], datetime]) -> LoadReport:
        key = LoadManifestKey(self.entity.name, self.source.sha256)
        place = Place(self.entity.name, key.log, self.entity.topic, 0)
        origin = self._settle_manifest(key, place, int(now().timestamp() * 1000))
        newest = newest_object_of_day(self.store, self.entity.name, day_of(origin.as_of), key.log)
        end = newest.end_offset if newest else 0
        written = 0
        for batch in self._batches(origin):
            landing = land(self.store, place, [batch], end)
            end, written = landing.end, written + landing.objects
            self.progress(batch.end_offset, self.source.records)
        objects, raw = self._verify(origin)
        report = LoadReport(
            entity=self.entity.name,
            log=key.log,
            topic=self.entity.topic,
            sha256=self.source.sha256,
            size=self.source.size,
            records=self.source.records,
            raw=raw,
            blank_lines=self.source.blank_lines,
            objects=objects,
            landed_now=written > 0,
            as_of=origin.as_of,
            unknown=self.source.unknown,
            absent=self.source.absent,
        )
        _log.info("file is in Bronze", extra={"file": str(self.path), **vars(report)})
        return report

    def _settle_manifest(self, key: LoadManifestKey, place: Place, as_of: int) -> Origin:
        """What the first load of this file fixed for ever: ours, or what stands there already."""
        ours = {
            "name": self.path.name,
            "bytes": self.source.size,
            "records": self.source.records,
            "as_of": as_of,
            "contract_version": self.source.contract_version,
            "header": list(self.source.header),
        }
        settled = ours
        if self.store.put_new(str(key), json.dumps(ours, indent=1, ensure_ascii=False).encode()) is None:
            body = self.store.get(str(key))
            try:
                settled = json.loads(body or b"")
                same = [settled["bytes"], settled["records"]] == [ours["bytes"], ours["records"]]
                origin = Origin(
                    place, self.entity, settled["as_of"], settled["contract_version"], self.source.header
                )
            except (ValueError, KeyError, TypeError) as error:
                raise LakeError(f"{key} is no manifest of a load ({error!r}): look at it") from error
            if not same:
                raise LakeError(
                    f"{key} tells of {settled}, the file is {ours}: its records were cut otherwise"
                )
            return origin
        return Origin(place, self.entity, as_of, self.source.contract_version, self.source.header)

    def _batches(self, origin: Origin) -> Iterator[CsvBatch]:
        """The file's records in objects' worths; adds up what they are."""
        waiting: list[Records] = []
        rows = size = 0
        for records in read_records(self.path, self.source):
            for low in range(records.first, records.end, OBJECT_ROWS):
                piece = records.slice(low, low + OBJECT_ROWS)
                if waiting and (rows + len(piece) > OBJECT_ROWS or size + piece.size > _OBJECT_BYTES):
                    yield self._batch(origin, waiting)
                    waiting, rows, size = [], 0, 0
                waiting.append(piece)
                rows, size = rows + len(piece), size + piece.size
        if waiting:
            yield self._batch(origin, waiting)

    def _batch(self, origin: Origin, pieces: list[Records]) -> CsvBatch:
        batch = CsvBatch.of(origin, pieces)
        self._rows += len(batch.hashes)
        self._sum = add_sums(self._sum, sum_of(batch.hashes))
        return batch

    def _verify(self, origin: Origin) -> tuple[int, int]:
        """Reads back what is in Bronze and compares it with the file; its objects and raw rows."""
        place, day = origin.place, day_of(origin.as_of)
        rows = total = raw = objects = 0
        while rows < self.source.records:
            key = BronzeKey(place.entity, day, place.log, 0, rows)
            metadata, found, raws = self._read_back(key)
            rows, total, raw = metadata.end_offset, add_sums(total, found), raw + raws
            objects += 1
        if (rows, total) != (self._rows, self._sum) or rows != self.source.records:
            raise LakeError(
                f"Bronze holds {rows} rows (sum {total}) as {place.log}, {self.path} has {self._rows} "
                f"(sum {self._sum}) in {self.source.records} records. The file was left where it is"
            )
        return objects, raw

    def _read_back(self, key: BronzeKey) -> tuple[BronzeMetadata, int, int]:
        """Metadata, hash sum and raw rows of an object, from its bytes."""
        head, body = self.store.head(str(key)), self.store.get(str(key))
        if head is None or body is None:
            raise LakeError(f"s3://{self.store.bucket}/{key} is missing. The file was left where it is")
        metadata = BronzeMetadata.from_s3(head.metadata)
        # `read_table` reads ahead in threads of its own, over which a short process then aborts at its end.
        table = pq.ParquetFile(BytesIO(body), pre_buffer=False).read(
            columns=["row_hash", "raw_reason"], use_threads=False
        )
        found = sum_of(table["row_hash"].to_numpy())
        length = metadata.end_offset - metadata.first_offset
        if (table.num_rows, found) != (length, metadata.hash_sum):
            raise LakeError(
                f"s3://{self.store.bucket}/{key} holds {table.num_rows} rows (sum {found}), its metadata says "
                f"{length} (sum {metadata.hash_sum}). The file was left where it is"
            )
        return metadata, found, int(pc.sum(pc.is_valid(table["raw_reason"])).as_py())


def _archive(path: Path, folder: Path, report: LoadReport) -> Path:
    """Moves the file, under a name that no other content can have."""
    target = folder / f"{report.sha256[:16]}-{path.name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    except OSError as error:
        raise InputError(
            f"{path} is in Bronze, but cannot be moved to {target}: {error.strerror}."
        ) from error
    return target
