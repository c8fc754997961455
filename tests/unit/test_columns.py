"""The lockstep decoder gives what the reference gives, row by row, for whatever bytes."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakehouse import columns
from lakehouse.catalog import WireType, load_entities
from lakehouse.columns import decode_columns, is_utf8, patch_rows, text_from_spans
from lakehouse.wire import ENVELOPE, FieldTable, Undecodable, WireField, decode, encode

# Numbers up to 15 have one tag byte, up to 2047 two, beyond that three.
NUMBERS = (10, 11, 15, 16, 17, 300, 2047, 2048)
COLUMNS = tuple(
    WireField(number, f"c{number}", WireType.INT64 if number % 2 else WireType.TEXT) for number in NUMBERS
)
TABLE = FieldTable("Made", {f.number: f for f in (*ENVELOPE, *COLUMNS)})
FIELDS = st.sampled_from(sorted(TABLE.fields.values(), key=lambda f: f.number))
INT64 = st.integers(-(2**63), 2**63 - 1)


def varint(number: int, pad: int = 0) -> bytes:
    """A varint with `pad` needless continuation bytes."""
    parts = bytearray()
    while number > 0x7F or pad > 0:
        if number <= 0x7F:
            pad -= 1
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*parts, number))


@st.composite
def written_field(draw: st.DrawFn) -> bytes:
    field = draw(FIELDS)
    pad = draw(st.sampled_from([0, 0, 0, 1, 3]))
    if field.type is WireType.INT64:
        return varint(field.number << 3, pad) + varint(
            draw(INT64) & (2**64 - 1), draw(st.sampled_from([0, 0, 2]))
        )
    text = draw(st.one_of(st.text(max_size=12).map(str.encode), st.binary(max_size=6)))
    return varint(field.number << 3 | 2, pad) + varint(len(text)) + text


@st.composite
def tidy_message(draw: st.DrawFn) -> bytes:
    """Fields in number order, some missing: what encoders write."""
    chosen = draw(st.sets(FIELDS))
    row = {f.name: draw(INT64 if f.type is WireType.INT64 else st.text(max_size=12)) for f in chosen}
    return encode(TABLE, row)


@st.composite
def cut_message(draw: st.DrawFn) -> bytes:
    whole = draw(st.one_of(tidy_message(), st.lists(written_field(), max_size=5).map(b"".join)))
    return whole[: draw(st.integers(0, len(whole)))]


MESSAGES = st.lists(
    st.one_of(
        tidy_message(),
        st.lists(written_field(), max_size=6).map(b"".join),
        cut_message(),
        st.binary(max_size=40),
    ),
    max_size=12,
)


def assert_equal_to_reference(table: FieldTable, messages: list[bytes], skip: int = 0) -> None:
    found = decode_columns(table, messages, skip)
    rows = [decode(table, message[skip:]) for message in messages]
    assert found.faults == {i: row for i, row in enumerate(rows) if isinstance(row, Undecodable)}
    expected = [{} if isinstance(row, Undecodable) else row for row in rows]
    for field in table.fields.values():
        array = found.arrays[field.name]
        array.validate(full=True)
        assert array.to_pylist() == [row.get(field.name) for row in expected], field.name


@given(MESSAGES)
@example([b""])
@example(
    [encode(TABLE, {"c10": "ä", "c11": -1, "c2048": "z"}), b"\x52\x02\xff\xfe", encode(TABLE, {"c10": ""})]
)
@example(
    [varint(11 << 3) + b"\xff" * 9 + b"\x7f", varint(11 << 3) + b"\xff" * 10]
)  # beyond 64 bits, beyond 10 bytes
@example([varint(10 << 3 | 2) + varint(2**63 + 5) + b"abc"])  # a length no int64 holds
@example(
    [varint(10 << 3 | 2), varint(10 << 3 | 2) + b"\x01a"]
)  # ends before a length that its successor would give
@example([encode(TABLE, {"c10": "\ud7ff\ue000"}), varint(10 << 3 | 2) + b"\x03\xed\xa0\x80"])  # a surrogate
def test_columns_equal_the_reference_for_any_bytes(messages: list[bytes]) -> None:
    assert_equal_to_reference(TABLE, messages)


@given(MESSAGES, st.integers(1, 3))
def test_columns_equal_the_reference_across_chunks(messages: list[bytes], rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "CHUNK_ROWS", rows)
        assert_equal_to_reference(TABLE, messages)


@given(MESSAGES, st.integers(1, 30))
def test_columns_equal_the_reference_when_chunks_are_cut_by_bytes(messages: list[bytes], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_CHUNK_BYTES", size)
        assert_equal_to_reference(TABLE, messages)


@given(MESSAGES, st.binary(min_size=19, max_size=19))
def test_columns_pass_over_the_header_of_each_message(messages: list[bytes], header: bytes) -> None:
    assert_equal_to_reference(TABLE, [header + message for message in messages], skip=19)


@pytest.mark.parametrize("entity", load_entities().values(), ids=lambda e: e.name)
def test_columns_cover_every_entity(entity) -> None:
    table = FieldTable.of(entity)
    full = {f.name: 5 if f.type is WireType.INT64 else f"á{f.number}" for f in table.fields.values()}
    one_missing = [{k: v for k, v in full.items() if k != name} for name in full]
    assert_equal_to_reference(table, [encode(table, row) for row in ({}, full, *one_missing)])


def test_columns_of_no_messages_have_their_types() -> None:
    found = decode_columns(TABLE, [])
    assert found.arrays["c11"].type == pa.int64()
    assert found.arrays["c10"].type == pa.string()
    assert len(found.arrays["c10"]) == 0


@given(st.binary(max_size=8))
def test_utf8_is_judged_as_python_does(text: bytes) -> None:
    try:
        text.decode()
        fine = True
    except UnicodeDecodeError:
        fine = False
    array = pa.StringArray.from_buffers(
        1, pa.array([0, len(text)], pa.int32()).buffers()[1], pa.py_buffer(text)
    )
    assert is_utf8(array) is fine


@given(st.lists(st.tuples(st.binary(max_size=3), st.text(max_size=4).map(str.encode), st.booleans())))
def test_text_from_spans_takes_each_span(parts: list[tuple[bytes, bytes, bool]]) -> None:
    import numpy as np

    data, starts, ends = b"", [], []
    for before, text, _ in parts:
        data += before
        starts.append(len(data))
        data += text
        ends.append(len(data))
    present = np.array([p for _, _, p in parts], bool)
    array = text_from_spans(data, np.array(starts, np.int64), np.array(ends, np.int64), present)
    assert array.to_pylist() == [text.decode() if p else None for _, text, p in parts]


def test_patched_rows_are_replaced_and_no_others() -> None:
    assert patch_rows(pa.array(["a", "b", None]), [2, 0], ["z", None]).to_pylist() == [None, "b", "z"]
    assert patch_rows(pa.array([1, 2]), [], []).to_pylist() == [1, 2]
