"""Cutting CSV bytes into records: the same for any blocks, nothing lost, cells as they were."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bronze_writer.csv_cells import read_cells
from bronze_writer.csv_records import UNCLOSED, Records, RecordSplitter, cells_of_line

LINE_BREAKS = st.sampled_from([b"\n", b"\r\n"])
# Few different bytes, so that quotes, commas and breaks meet in every way.
WILD = st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a", "ä".encode(), b"\xff"]), max_size=30).map(
    b"".join
)


def cut(blocks: list[bytes]) -> tuple[RecordSplitter, list[Records]]:
    splitter = RecordSplitter()
    return splitter, [*[splitter.feed(block) for block in blocks], splitter.finish()]


def record_bytes(pieces: list[Records]) -> list[bytes]:
    return [piece.record(i) for piece in pieces for i in range(len(piece))]


def cells_of(pieces: list[Records], width: int) -> list[list[str] | str]:
    """Cells of each record, or the reason why it has none."""
    found: list[list[str] | str] = []
    for piece in pieces:
        cells = read_cells(piece, width)
        for column in cells.columns:
            column.validate(full=True)
        rows = list(zip(*(column.to_pylist() for column in cells.columns), strict=True)) if width else []
        assert all((None in row) == (i in cells.reasons) for i, row in enumerate(rows))
        found += [cells.reasons.get(i, list(row)) for i, row in enumerate(rows)]
    return found


def slow_cut(data: bytes) -> list[tuple[bytes, list[bytes], bool]]:
    """Records byte by byte: exact bytes, cells, whether quotes make sense. Written for being obvious."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    records, at = [], 0
    while at < len(data):
        start, cells, fine, ended = at, [], True, False
        while not ended:
            cell, quoted = b"", data[at : at + 1] == b'"'
            if quoted:
                at += 1
                while at < len(data) and (data[at : at + 1] != b'"' or data[at : at + 2] == b'""'):
                    step = 2 if data[at : at + 2] == b'""' else 1
                    cell += data[at : at + 1]
                    at += step
                if at >= len(data):
                    fine = False
                at += 1
            bare = b""
            while at < len(data) and data[at : at + 1] not in (b",", b"\n"):
                bare += data[at : at + 1]
                at += 1
            ended = at >= len(data) or data[at : at + 1] == b"\n"
            crlf = at < len(data) and ended and bare.endswith(b"\r")
            bare = bare[:-1] if crlf else bare
            fine &= not (quoted and bare)
            cells.append(cell + bare)
            at += 1
        raw = data[start : at - 1 - crlf] if at <= len(data) else data[start:]
        if raw:
            records.append((raw, cells, fine))
    return records


@given(WILD, st.data())
@example(b'a,"b\r\n\r\n"\r\n', None)
@example(b'\xef\xbb\xbfa,b\n"",""\n', None)
@example(b'"a""b"""\n5" x,"5"" y"\n', None)
@example(b'"a"b,c\n"d', None)
def test_records_and_cells_equal_the_obvious_reading(data: bytes, draw: st.DataObject | None) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=5))) if draw else []
    blocks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    splitter, pieces = cut(blocks)
    expected = slow_cut(data)
    assert record_bytes(pieces) == [raw for raw, _, _ in expected]
    assert splitter.records == len(expected)
    assert splitter.separators + sum(piece.size for piece in pieces) == len(data)
    for width in (1, 2, 3):
        for (raw, cells, fine), found in zip(expected, cells_of(pieces, width), strict=True):
            if isinstance(found, list):
                assert fine
                assert [cell.encode() for cell in found] == cells
            else:
                assert not fine or len(cells) != width or not decodes(raw), found


def decodes(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


CELL = st.text(st.characters(codec="utf-8"), max_size=8) | st.text('",\n\r ä', max_size=6)
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8)


def written(cell: str, always: bool) -> str:
    """A cell as a CSV library writes it. (Python's own leaves a CR bare where lines end with LF.)"""
    return '"' + cell.replace('"', '""') + '"' if always or set(cell) & set('",\r\n') else cell


@given(ROWS, LINE_BREAKS, st.booleans(), st.booleans(), st.booleans())
def test_any_cells_come_back_as_they_were(
    rows: list[tuple[str, str, str]], line_break: bytes, bom: bool, ended: bool, always: bool
) -> None:
    data = b"".join(",".join(written(c, always) for c in row).encode() + line_break for row in rows)
    data = (b"\xef\xbb\xbf" if bom else b"") + (data if ended else data.removesuffix(line_break))
    splitter, pieces = cut([data])
    assert cells_of(pieces, 3) == [list(row) for row in rows]
    assert splitter.separators + sum(piece.size for piece in pieces) == len(data)
    assert all(not piece.odd for piece in pieces[:-1]), "what a CSV library writes takes the fast way"


@given(ROWS, st.integers(1, 9))
def test_slices_hold_what_they_say(rows: list[tuple[str, str, str]], size: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    [piece, last] = cut([text.getvalue().encode() + b'x",y,z\n'])[1]
    whole = cells_of([piece], 3)
    slices = [piece.slice(low, low + size) for low in range(0, len(piece), size)]
    assert cells_of(slices, 3) == whole
    assert record_bytes(slices) == record_bytes([piece])
    assert [s.first for s in slices] == list(range(0, len(piece), size))
    assert len(last) == 0


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"1,2", "the record has 2 cells instead of 3"),
        (b"1", "the record has 1 cell instead of 3"),
        (b"1,2,3,4", "the record has 4 cells instead of 3"),
        (b'5" a,"2,3",4,5', "the record has 4 cells instead of 3"),
        (b"1,\xe4,3", "byte 3 of the record (0xe4) is not UTF-8"),
        (b'1,"2" x,3', "text follows the closing quote of cell 2"),
        (b'1,"2"\r,3', "text follows the closing quote of cell 2"),
    ],
)
def test_record_that_is_no_row_has_a_reason_and_its_neighbours_stay(record: bytes, reason: str) -> None:
    _, pieces = cut([b"a,b,c\n" + record + b'\r\nd,"e",f\n'])
    assert cells_of(pieces, 3) == [["a", "b", "c"], reason, ["d", "e", "f"]]
    assert record_bytes(pieces)[1] == record


def test_quote_that_never_closes_swallows_the_rest_and_says_so() -> None:
    splitter, pieces = cut([b'a,b\n1,"2\n3,4\n'])
    assert cells_of(pieces, 2) == [["a", "b"], UNCLOSED]
    assert record_bytes(pieces)[1] == b'1,"2\n3,4\n'
    assert splitter.separators == 1


def test_quotes_inside_bare_cells_are_text() -> None:
    _, pieces = cut([b'5" pipe,a""b\n', b'6,x"\n'])
    assert cells_of(pieces, 2) == [['5" pipe', 'a""b'], ["6", 'x"']]


def test_blank_lines_are_counted_and_are_no_records() -> None:
    splitter, pieces = cut([b"\n\r\na,b\r\n\r\n", b'"c"d\n1,2\n\n'])
    assert record_bytes(pieces) == [b"a,b", b'"c"d', b"1,2"]
    assert [record.problem for piece in pieces for record in piece.odd.values()] == [
        "text follows the closing quote of cell 1"
    ]
    assert splitter.blank_lines == 4


def test_lone_carriage_return_is_a_byte_of_its_cell() -> None:
    _, pieces = cut([b"a\rb,c\n1,2\r"])
    assert cells_of(pieces, 2) == [["a\rb", "c"], ["1", "2\r"]]


def test_waiting_grows_while_a_record_does_not_end() -> None:
    splitter = RecordSplitter()
    assert len(splitter.feed(b'a,b\n"' + b"x" * 1000)) == 1
    assert splitter.waiting == 1001
    assert len(splitter.feed(b"\n" * 1000)) == 0
    assert splitter.waiting == 2001


def test_cells_of_a_line() -> None:
    assert cells_of_line(b'a,"b,""c""",') == (b"a", b'b,"c"', b"")
