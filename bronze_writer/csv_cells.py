"""Records → columns of text, one record a row; a record that is none has a reason and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bronze_writer.csv_records import Positions, Records
from lakehouse.columns import patch_rows, text_from_spans

_QUOTE = ord('"')


@dataclass(frozen=True)
class Cells:
    """`columns` in the order of the header; null in the rows named in `reasons`, and only there."""

    columns: Sequence[pa.Array]
    reasons: dict[int, str]


def read_cells(records: Records, width: int) -> Cells:
    """Every cell as it was: quotes around it and doubled quotes inside are taken off, nothing else is changed."""
    reasons = {}
    if not _is_text(records):
        reasons = {i: found for i in range(len(records)) if (found := _not_text(records.record(i)))}
    first, counts = _commas_of(records)
    for row in np.flatnonzero(counts != width - 1).tolist():
        if row not in records.odd:
            reasons.setdefault(row, _wrong_count(int(counts[row]) + 1, width))
    for i, odd in records.odd.items():
        problem = odd.problem or ("" if len(odd.cells) == width else _wrong_count(len(odd.cells), width))
        if problem:
            reasons.setdefault(i, problem)
    tidy = np.ones(len(records), bool)
    tidy[[*reasons, *records.odd]] = False
    columns = []
    for number in range(width):
        array = _column(records, first, number, width, tidy)
        rows = [i for i in records.odd if i not in reasons]
        columns.append(patch_rows(array, rows, [records.odd[i].cells[number].decode() for i in rows]))
    return Cells(columns, reasons)


def _column(
    records: Records, first: Positions, number: int, width: int, tidy: npt.NDArray[np.bool_]
) -> pa.Array:
    """One column's text, null where the record is not tidy."""
    starts, ends = records.starts.copy(), records.starts.copy()  # empty where nothing is to be read
    commas = first[tidy] + number
    starts[tidy] = records.starts[tidy] if number == 0 else records.commas[commas - 1] + 1
    ends[tidy] = records.ends[tidy] if number == width - 1 else records.commas[commas]
    data = np.frombuffer(records.data, np.uint8)
    quoted = np.flatnonzero((ends > starts) & (data[np.minimum(starts, len(data) - 1)] == _QUOTE))
    starts[quoted] += 1
    ends[quoted] -= 1
    array = text_from_spans(records.data, starts, ends, tidy)
    inner = np.searchsorted(records.quotes, ends[quoted]) - np.searchsorted(records.quotes, starts[quoted])
    doubled = quoted[inner > 0].tolist()
    texts = [records.data[starts[i] : ends[i]].replace(b'""', b'"').decode() for i in doubled]
    return patch_rows(array, doubled, texts)


def _commas_of(records: Records) -> tuple[Positions, Positions]:
    """Index of each record's first comma outside quotes, and how many it has."""
    first = np.searchsorted(records.commas, records.starts)
    return first, np.searchsorted(records.commas, records.ends) - first


def _is_text(records: Records) -> bool:
    if not len(records):
        return True
    return not _not_text(records.data[records.starts[0] : records.ends[-1]])


def _not_text(record: bytes) -> str:
    """Why bytes are not UTF-8; empty when they are."""
    try:
        record.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} of the record (0x{record[error.start]:02x}) is not UTF-8"
    return ""


def _wrong_count(found: int, wanted: int) -> str:
    return f"the record has {found} cell{'s' if found > 1 else ''} instead of {wanted}"
