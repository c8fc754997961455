"""Cuts a CSV file into records by bytes, so that each record's exact bytes are known. Decodes nothing.

The dialect is RFC 4180's: comma, double quotes, doubled quotes inside, LF or CRLF, line breaks inside quotes. A quote
opens a cell only as its first byte; elsewhere it is a byte like others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_QUOTE, _COMMA, _LF, _CR = 0x22, 0x2C, 0x0A, 0x0D
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Records:
    """Bounds of every record, the header left out: `starts[i]` to `ends[i]`, line break not included.

    `header` is the first record's bytes, without BOM. `complete` is False when the last record's quote never closes.
    """

    header: bytes
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    separators: int  # bytes of BOM, header and line breaks: with the records they are the whole file
    complete: bool

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def record_bytes(self) -> int:
        """Sum of the records' bytes."""
        return int((self.ends - self.starts).sum())


def cut_records(data: memoryview) -> Records:
    """The records of a whole file. Linear; a file whose quotes stand only where they should takes numpy's pace."""
    begin = len(BOM) if bytes(data[: len(BOM)]) == BOM else 0
    array = np.frombuffer(data, np.uint8)[begin:]
    breaks, complete = _record_breaks(array)
    starts = np.concatenate([[0], breaks + 1]).astype(np.int64)
    ends = np.concatenate([breaks, [len(array)]]).astype(np.int64)
    if starts[-1] == len(array):  # the file ends with a line break, as it should
        starts, ends = starts[:-1], ends[:-1]
    if not len(starts):
        return Records(b"", starts, ends, begin, True)
    with_cr = (ends > starts) & (array[np.maximum(ends - 1, 0)] == _CR)
    ends = ends - with_cr
    header = array[starts[0] : ends[0]].tobytes()
    starts, ends = starts[1:] + begin, ends[1:] + begin
    separators = len(data) - int((ends - starts).sum())
    return Records(header, starts, ends, separators, complete)


def _record_breaks(array: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], bool]:
    """Places of the line feeds that end records; whether no quote is left open."""
    quotes = np.flatnonzero(array == _QUOTE)
    feeds = np.flatnonzero(array == _LF)
    if not _tidy(array, quotes):
        return _breaks_by_cell(array.tobytes())
    inside = np.searchsorted(quotes, feeds) & 1
    return feeds[inside == 0], len(quotes) % 2 == 0


def _tidy(array: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64]) -> bool:
    """Whether every odd quote opens a cell (or follows its doubled twin) and every even one closes one.

    Then the number of quotes before a line feed says whether it stands inside a cell.
    """
    opening, closing = quotes[0::2], quotes[1::2]
    before = array[np.maximum(opening - 1, 0)]
    opens = (opening == 0) | np.isin(before, (_COMMA, _LF, _QUOTE))
    after = array[np.minimum(closing + 1, len(array) - 1)] if len(closing) else closing
    closes = (closing == len(array) - 1) | np.isin(after, (_COMMA, _LF, _CR, _QUOTE))
    # a quote before an opening one must be the closing one right before it
    twins = before == _QUOTE
    doubled = np.zeros(len(opening), bool)
    doubled[1:] = closing[: len(opening) - 1] == opening[1:] - 1
    return bool(opens.all() and closes.all() and (doubled | ~twins | (opening == 0)).all())


def _breaks_by_cell(data: bytes) -> tuple[npt.NDArray[np.int64], bool]:
    """The same cell by cell, for files with quotes in odd places."""
    breaks: list[int] = []
    at, cell_starts, size = 0, True, len(data)
    while at < size:
        if cell_starts and data[at] == _QUOTE:
            at = _closing_quote(data, at + 1)
            if at < 0:
                return np.array(breaks, np.int64), False
            at += 1
        cell_starts = False
        comma, feed = data.find(b",", at), data.find(b"\n", at)
        ends = min(place for place in (comma, feed, size) if place >= 0)
        if ends == feed:
            breaks.append(feed)
        at, cell_starts = ends + 1, True
    return np.array(breaks, np.int64), True


def _closing_quote(data: bytes, at: int) -> int:
    """Place of the quote that closes the cell begun before `at`; -1 when there is none."""
    while (at := data.find(b'"', at)) >= 0:
        if data[at + 1 : at + 2] != b'"':
            return at
        at += 2
    return -1


def record_bytes(data: memoryview, records: Records, first: int, end: int) -> Iterator[bytes]:
    """Exact bytes of the records `[first, end)`."""
    bounds = zip(records.starts[first:end].tolist(), records.ends[first:end].tolist(), strict=True)
    return (bytes(data[low:high]) for low, high in bounds)
