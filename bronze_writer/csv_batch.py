"""Records of a CSV file on their way to one Bronze object of text columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bronze_writer.csv_cells import read_cells
from bronze_writer.csv_records import Records
from bronze_writer.landing import Encoded, Place
from bronze_writer.rows import encode_table, event_ids_of_positions, position_columns
from lakehouse.bronze import bronze_schema
from lakehouse.catalog import Entity
from lakehouse.identity import RowHasher
from lakehouse.wire import UPSERT

SOURCE = "load"


@dataclass(frozen=True)
class Origin:
    """What is the same for all rows of a file. `as_of` in ms UTC; `header` names the columns in the file's order."""

    place: Place
    entity: Entity
    as_of: int
    contract_version: str
    header: Sequence[str]

    @property
    def schema(self) -> pa.Schema:
        """Bronze of the file: without columns of its own contract version that it lacks, so that the check can tell;
        with those of its own that no contract version has behind.
        """
        version = next((v for v in self.entity.versions if v.version == self.contract_version), self.entity)
        absent = {f.name for f in version.fields} - {*self.header}
        whole = bronze_schema(self.entity, all_text=True)
        unknown = [name for name in self.header if name not in whole.names]
        kept = [f for f in whole if f.name not in absent]
        return pa.schema([*kept, *(pa.field(name, pa.string()) for name in unknown)])


@dataclass(frozen=True)
class CsvBatch:
    """Consecutive records, as `landing.Batch`; `hashes` are their row hashes, over their exact bytes."""

    origin: Origin
    pieces: Sequence[Records]
    hashes: npt.NDArray[np.int64]
    void_reason: str = ""

    @classmethod
    def of(cls, origin: Origin, pieces: Sequence[Records]) -> Self:
        """A batch of at least one record."""
        hasher = RowHasher(origin.place.log, origin.place.topic, origin.place.partition)
        offsets = [p.first + i for p in pieces for i in range(len(p))]
        hashes = hasher.hash_all(offsets, [p.record(i) for p in pieces for i in range(len(p))])
        return cls(origin, pieces, np.array(hashes, np.int64))

    @property
    def first_offset(self) -> int:
        """Number of the first record."""
        return self.pieces[0].first

    @property
    def end_offset(self) -> int:
        """Number of the record behind the last."""
        return self.pieces[-1].end

    @property
    def first_broker_time(self) -> int:
        """The load's as-of time."""
        return self.origin.as_of

    def from_offset(self, offset: int) -> Self:
        """The records from this one on."""
        pieces = [piece.slice(offset, piece.end) for piece in self.pieces if piece.end > offset]
        return replace(self, pieces=pieces, hashes=self.hashes[offset - self.first_offset :])

    def encode(self) -> Encoded:
        """The object: every cell as it was, and records that are no row as their bytes with the reason."""
        schema = self.origin.schema
        tables, at = [], 0
        for piece in self.pieces:
            columns = self._columns(piece, self.hashes[at : at + len(piece)])
            tables.append(pa.table([columns[name] for name in schema.names], schema))
            at += len(piece)
        return encode_table(pa.concat_tables(tables), self.hashes)

    def _columns(self, piece: Records, hashes: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
        origin, rows = self.origin, len(piece)
        cells = read_cells(piece, len(origin.header))
        offsets = np.arange(piece.first, piece.end, dtype=np.int64)
        same = {
            "occurred_at": pa.scalar(origin.as_of * 1000, pa.int64()),
            "broker_time": pa.scalar(origin.as_of, pa.int64()),
            "source": pa.scalar(SOURCE, pa.string()),
            "op": pa.scalar(UPSERT, pa.string()),
            "contract_version": pa.scalar(origin.contract_version, pa.string()),
            "registry_id": pa.scalar(None, pa.string()),
        }
        raw = [piece.record(row) if row in cells.reasons else None for row in range(rows)]
        later = [f.name for f in origin.entity.fields if f.name not in origin.header]
        return {
            **dict.fromkeys(later, pa.nulls(rows, pa.string())),
            **dict(zip(origin.header, cells.columns, strict=True)),
            **{name: pa.repeat(value, rows) for name, value in same.items()},
            **position_columns(origin.place, offsets),
            "event_id": event_ids_of_positions(origin.place, offsets.tolist()),
            "row_hash": pa.array(hashes),
            "raw": pa.array(raw, pa.binary()),
            "raw_reason": pa.array([cells.reasons.get(row) for row in range(rows)], pa.string()),
        }
