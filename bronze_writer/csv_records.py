"""Cuts a CSV file into records by bytes, so that each record's exact bytes are known. Knows nothing of columns.

The dialect is RFC 4180's: commas, double quotes, doubled quotes inside them, LF or CRLF, line breaks inside quotes.
A quote opens a cell only as its first byte; elsewhere it is a byte like others. A CR alone is a byte like others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]

BOM = b"\xef\xbb\xbf"
_QUOTE, _COMMA, _LF, _CR = b'",\n\r'
_SEPARATOR = re.compile(rb"[,\n]")
UNCLOSED = "a quote is opened and never closed"


@dataclass(frozen=True)
class OddRecord:
    """A record whose quotes stand where RFC 4180 has none, read cell by cell. `problem`: why its cells mean nothing."""

    cells: tuple[bytes, ...]
    problem: str = ""


@dataclass(frozen=True)
class Records:
    """Consecutive records of a file: record `first + i` is `data[starts[i]:ends[i]]`, line break not included.

    `commas` and `quotes` are places in `data`; commas within quotes are left out. Records named in `odd` (by i) are
    to be taken from there instead.
    """

    data: bytes
    first: int
    starts: Positions
    ends: Positions
    commas: Positions
    quotes: Positions
    odd: dict[int, OddRecord] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def end(self) -> int:
        """Number of the record behind the last."""
        return self.first + len(self.starts)

    @property
    def size(self) -> int:
        """Sum of the records' bytes."""
        return int((self.ends - self.starts).sum())

    def record(self, index: int) -> bytes:
        """Exact bytes of record `first + index`."""
        return self.data[self.starts[index] : self.ends[index]]

    def slice(self, low: int, high: int) -> "Records":
        """The records numbered `[low, high)`, as far as they are among these."""
        a, b = max(0, low - self.first), max(0, high - self.first)
        odd = {i - a: record for i, record in self.odd.items() if a <= i < b}
        return Records(
            self.data, self.first + a, self.starts[a:b], self.ends[a:b], self.commas, self.quotes, odd
        )


class RecordSplitter:
    """Takes a file block by block and gives out the records that are whole. Blank lines are no records.

    Memory is what one block and one record take. `separators` are the bytes that belong to no record: byte order
    mark, line breaks, blank lines; with the records' bytes they make up the file.
    """

    def __init__(self) -> None:
        self.records = 0
        self.blank_lines = 0
        self.separators = 0
        self._rest = b""
        self._begun = False

    @property
    def waiting(self) -> int:
        """Bytes of the record that has begun and not ended."""
        return len(self._rest)

    def feed(self, block: bytes) -> Records:
        """The records that end within this block."""
        data = self._rest + block
        if not self._begun and len(data) < len(BOM):
            self._rest = data
            return self._give(data, _Cut())
        at = self._skip_bom(data)
        cut = _cut(data, at)
        self._rest = data[cut.end :]
        return self._give(data, cut)

    def finish(self) -> Records:
        """The last record, if it does not end with a line break."""
        data = self._rest
        cut = _cut(data, self._skip_bom(data))
        if cut.end < len(data):
            cut.take_odd(data, cut.end, final=True)
        self._rest = b""
        return self._give(data, cut)

    def _skip_bom(self, data: bytes) -> int:
        at = len(BOM) if not self._begun and data.startswith(BOM) else 0
        self._begun = True
        self.separators += at
        return at

    def _give(self, data: bytes, cut: "_Cut") -> Records:
        starts, ends, nexts = (np.concatenate([_NONE, *parts]) for parts in (cut.starts, cut.ends, cut.nexts))
        self.separators += int((nexts - ends).sum())
        filled = np.flatnonzero(ends > starts)
        self.blank_lines += len(starts) - len(filled)
        odd = cut.odd
        if len(filled) < len(starts):
            numbers = np.cumsum(ends > starts) - 1
            odd = {int(numbers[i]): record for i, record in odd.items()}
            starts, ends = starts[filled], ends[filled]
        commas = np.concatenate([_NONE, *cut.commas])
        first, self.records = self.records, self.records + len(starts)
        return Records(data, first, starts, ends, commas, cut.quotes, odd)


_NONE = np.array([], np.int64)


class _Cut:
    """What was found so far in a block: pieces of arrays, and the place up to which all is taken."""

    def __init__(self, end: int = 0) -> None:
        self.starts: list[Positions] = []
        self.ends: list[Positions] = []
        self.nexts: list[Positions] = []  # behind the line breaks
        self.commas: list[Positions] = []
        self.quotes: Positions = _NONE
        self.odd: dict[int, OddRecord] = {}
        self.end = end
        self._count = 0

    def take(self, array: npt.NDArray[np.uint8], feeds: Positions, commas: Positions) -> None:
        """Records that end with these line feeds."""
        if not len(feeds):
            return
        starts = np.concatenate([[self.end], feeds[:-1] + 1])
        crlf = (feeds > starts) & (array[np.maximum(feeds - 1, 0)] == _CR)
        self.starts.append(starts)
        self.ends.append(feeds - crlf)
        self.nexts.append(feeds + 1)
        self.commas.append(commas)
        self.end = int(feeds[-1]) + 1
        self._count += len(feeds)

    def take_odd(self, data: bytes, at: int, final: bool) -> bool:
        """The one record at this place, read cell by cell; False when it does not end within the data."""
        found = _read_odd(data, at, final)
        if found is None:
            return False
        end, following, record = found
        self.odd[self._count] = record
        for parts, value in ((self.starts, at), (self.ends, end), (self.nexts, following)):
            parts.append(np.array([value], np.int64))
        self.end = following
        self._count += 1
        return True


def _cut(data: bytes, at: int) -> _Cut:
    """Every record of `data[at:]` that ends with a line break.

    Up to the first quote in an odd place, the number of quotes before a byte says whether it stands inside a cell.
    From there the record is read cell by cell, and counting begins anew behind it.
    """
    array = np.frombuffer(data, np.uint8)
    quotes, feeds, commas = (np.flatnonzero(array == byte) for byte in (_QUOTE, _LF, _COMMA))
    feeds, commas = feeds[feeds >= at], commas[commas >= at]
    odd_places = _odd_quotes(array, quotes, at)
    cut = _Cut(at)
    cut.quotes = quotes
    feeds_by_parity, commas_by_parity = _by_parity(feeds, quotes), _by_parity(commas, quotes)
    while True:
        before = int(np.searchsorted(quotes, cut.end))
        parity = before % 2
        bad = odd_places[parity]
        index = int(np.searchsorted(bad, before))
        stop = int(quotes[bad[index]]) if index < len(bad) else len(data)
        ending = _between(feeds_by_parity[parity], cut.end, stop)
        inner = _between(commas_by_parity[parity], cut.end, int(ending[-1]) if len(ending) else 0)
        cut.take(array, ending, inner)
        if index == len(bad) or not cut.take_odd(data, cut.end, final=False):
            return cut


def _odd_quotes(array: npt.NDArray[np.uint8], quotes: Positions, begin: int) -> tuple[Positions, Positions]:
    """Indexes of quotes in odd places, if quotes of even, or else of odd, index are those that open a cell."""
    size = len(array)
    before = array[np.maximum(quotes - 1, 0)]
    after = array[np.minimum(quotes + 1, size - 1)] if size else array
    second = array[np.minimum(quotes + 2, size - 1)] if size else array
    twin = np.diff(quotes) == 1  # the first of a doubled pair closes, the second opens again
    opens = (quotes == begin) | (before == _COMMA) | (before == _LF)
    opens[1:] |= twin
    closes = (after == _COMMA) | (after == _LF) | ((after == _CR) & ((second == _LF) | (quotes + 2 >= size)))
    closes |= quotes + 1 >= size  # what follows is not known yet, nor is the record given out
    closes[:-1] |= twin
    even = np.arange(len(quotes)) % 2 == 0
    return np.flatnonzero(~np.where(even, opens, closes)), np.flatnonzero(~np.where(even, closes, opens))


def _by_parity(places: Positions, quotes: Positions) -> tuple[Positions, Positions]:
    """Places with an even, and with an odd, number of quotes before them."""
    odd = np.searchsorted(quotes, places) % 2 == 1
    return places[~odd], places[odd]


def _between(places: Positions, low: int, high: int) -> Positions:
    return places[np.searchsorted(places, low) : np.searchsorted(places, high)]


def _read_odd(data: bytes, at: int, final: bool) -> tuple[int, int, OddRecord] | None:
    """End, start of the next, and cells of the record at a place; None when it does not end within the data."""
    cells: list[bytes] = []
    problem = ""
    while True:
        behind, text = at, b""
        if data[at : at + 1] == b'"':
            closing = _closing_quote(data, at + 1)
            if closing is None:
                if not final:
                    return None
                return len(data), len(data), OddRecord(tuple(cells), UNCLOSED)
            behind, text = closing + 1, data[at + 1 : closing].replace(b'""', b'"')
        found = _SEPARATOR.search(data, behind)
        if found is None and not final:
            return None
        stop = found.start() if found else len(data)
        line_ends = found is None or found[0] == b"\n"
        end = stop - 1 if found and line_ends and stop > behind and data[stop - 1] == _CR else stop
        if behind > at and end > behind:
            problem = problem or f"text follows the closing quote of cell {len(cells) + 1}"
        cells.append(text + data[behind:end])
        if line_ends:
            return end, stop + 1 if found else stop, OddRecord(tuple(cells), problem)
        at = stop + 1


def _closing_quote(data: bytes, at: int) -> int | None:
    """Place of the quote that closes the cell whose text begins here."""
    while (place := data.find(b'"', at)) >= 0:
        if data[place + 1 : place + 2] != b'"':
            return place
        at = place + 2
    return None


def cells_of_line(line: bytes) -> Sequence[bytes]:
    """The cells of one record."""
    found = _read_odd(line, 0, final=True)
    return found[2].cells if found else ()
