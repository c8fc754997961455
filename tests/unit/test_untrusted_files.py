"""Files that were made to harm: faults 25 to 30. None is decoded further than its figures allow."""

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import load_entities
from lakehouse.envelope import CODEC, ENCRYPTED, RESOURCE, UNREADABLE
from lambdas.check_rows.bronze_file import BronzeFile, SuspiciousObject
from lambdas.check_rows.limits import LIMITS, Limits
from lambdas.check_rows.parquet_footer import UnreadableObject
from lambdas.check_rows.source import RangedObject, WholeObject
from lambdas.check_rows.thrift import ThriftError, read_struct
from tests.builders.crafted import (
    STRUCT,
    chunk_start,
    field,
    footer_of,
    forged,
    forged_page,
    parse,
    serialize,
    with_footer,
)
from tests.builders.rows import an_order, bronze_table, metadata_of, parquet_bytes

ORDERS = load_entities()["orders"]
TABLE = bronze_table(ORDERS, [an_order(), an_order(order_id="x"), an_order(order_status="lost")])
METADATA = metadata_of(TABLE)
WHOLE = parquet_bytes(TABLE)
STATUS = TABLE.schema.get_field_index("order_status")
HASH = TABLE.schema.get_field_index("row_hash")
SMALL = Limits(
    object_bytes=10**6, footer_bytes=40_000, columns=100, row_groups=50, rows=10_000, pages=100, depth=3
)


def without_dictionaries(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, use_dictionary=False)
    return file.getvalue()


PLAIN = without_dictionaries(TABLE)


def read(data: bytes, metadata: BronzeMetadata = METADATA, limits: Limits = LIMITS) -> pa.Table:
    return pa.concat_tables(BronzeFile(WholeObject(data), ORDERS, metadata, limits).tables())


def refused(data: bytes, limits: Limits = LIMITS, metadata: BronzeMetadata = METADATA) -> UnreadableObject:
    """The same whether the object is here or comes in ranges."""
    with pytest.raises(UnreadableObject) as whole:
        read(data, metadata, limits)
    ranged = RangedObject(len(data), lambda start, length: data[start : start + length])
    with pytest.raises(UnreadableObject) as parts:
        list(BronzeFile(ranged, ORDERS, metadata, limits).tables())
    assert (str(parts.value), parts.value.code) == (str(whole.value), whole.value.code)
    return whole.value


def test_crafting_leaves_an_untouched_file_alone() -> None:
    assert with_footer(WHOLE, footer_of(WHOLE)) == WHOLE
    assert forged_page(WHOLE, 0, STATUS, lambda header: None) == WHOLE
    assert read(WHOLE).equals(TABLE)


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 100])
def test_file_is_read_the_same_in_ranges_and_in_pieces(rows_at_once: int) -> None:
    asked = []

    def fetch(start: int, length: int) -> bytes:
        asked.append((start, length))
        return data[start : start + length]

    table = bronze_table(ORDERS, [an_order(), an_order(order_id="x")] * 300)
    data = parquet_bytes(table, row_group_size=150)
    file = BronzeFile(
        RangedObject(len(data), fetch), ORDERS, metadata_of(table), Limits(batch_rows=rows_at_once)
    )
    assert pa.concat_tables(file.tables()).equals(table)
    assert pa.concat_tables(file.tables()).equals(table), "it can be read again"
    assert len(asked) == 2 + 2 * 4, "the end, the beginning, and each row group in one piece"


# --- fault 25: footers and pages that contradict themselves


FORGED: dict[str, tuple[bytes, str]] = {
    "rows": (forged(WHOLE, [3], 10**6), "do not hold its 1000000 rows"),
    "rows of a group": (forged(WHOLE, [4, 0, 3], 10**9), "has 3 values in 1000000000 rows"),
    "negative rows": (forged(WHOLE, [4, 0, 3], -3), "a row group has -3 rows"),
    "values": (forged(WHOLE, [4, 0, 1, STATUS, 3, 5], 10**9), "1000000000 values in 3 rows"),
    "size": (forged(WHOLE, [4, 0, 1, STATUS, 3, 7], 2**40), "beyond its end"),
    "negative size": (forged(WHOLE, [4, 0, 1, STATUS, 3, 7], -1), "figures that cannot be"),
    "offset": (forged(PLAIN, [4, 0, 1, STATUS, 3, 9], 2**62), "beyond its end"),
    "offset of the footer": (forged(PLAIN, [4, 0, 1, STATUS, 3, 9], len(PLAIN) - 10), "beyond its end"),
    "unpacked": (forged(WHOLE, [4, 0, 1, STATUS, 3, 6], 1), "unpack to more than 1 bytes"),
    "type": (forged(WHOLE, [4, 0, 1, STATUS, 3, 1], 2), "figures that cannot be"),
    "children": (forged(WHOLE, [2, 0, 5], 10**6), "no tree"),
    "other file": (
        with_footer(WHOLE, serialize(footer_of(WHOLE))[:-1] + b"\0\0"),
        "stand behind it",
    ),
    "length": (with_footer(WHOLE, footer_of(WHOLE), length=2**31), "claims 2147483648 bytes"),
    "no footer": (with_footer(WHOLE, b"", length=0), "ends too early"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_footer_is_refused_before_anything_is_decoded(name: str) -> None:
    data, problem = FORGED[name]
    found = refused(data)
    assert problem in str(found)
    assert found.code == UNREADABLE


def claim(name: str, length: int) -> bytes:
    """A footer whose list or text claims a length that it does not have: fault 29."""
    footer = footer_of(WHOLE)
    if name == "text":
        return serialize(footer).replace(b"\x0corder_status", b"\xff\xff\xff\xff\x07order_status", 1)
    place = {"row groups": (4,), "schema": (2,), "columns": (4, 0, 1), "encodings": (4, 0, 1, 0, 3, 2)}[name]
    found = field(footer, *place)
    found[2] = (*found[2], length)
    return serialize(footer)


@pytest.mark.parametrize("length", [20, 10**6, 2**31 - 1, 2**62])
@pytest.mark.parametrize("name", ["row groups", "schema", "columns", "encodings", "text"])
def test_fault_29_forged_lengths_of_thrift_allocate_nothing(name: str, length: int) -> None:
    assert "no Parquet file" in str(refused(with_footer(WHOLE, claim(name, length))))


def set_(number: int, value: Any, *inside: int) -> Callable[[list[Any]], None]:
    def change(header: list[Any]) -> None:
        field(header, *inside, number)[2] = value

    return change


PAGES: dict[str, tuple[Callable[[list[Any]], None], int, str]] = {
    "a page of a gigabyte": (set_(2, 10**9), STATUS, "unpack to more than"),
    "a page beyond the end": (set_(3, 10**9), STATUS, "claims 1000000000 bytes"),
    "a negative page": (set_(3, -5), STATUS, "claims -5 bytes"),
    "a kind that is none": (set_(1, 9), STATUS, "is of kind 9"),
    "a dictionary of a billion": (set_(1, 10**9, 7), STATUS, "a dictionary claims 1000000000 values"),
    "a page of a billion values": (set_(1, 10**9, 5), HASH, "1000000000 values instead of 3"),
    "fewer values": (set_(1, 2, 5), HASH, "end after 2 of 3 values"),
}


@pytest.mark.parametrize("name", PAGES)
def test_forged_page_header_is_refused_before_anything_is_decoded(name: str) -> None:
    change, column, problem = PAGES[name]
    found = refused(forged_page(WHOLE if column == STATUS else PLAIN, 0, column, change))
    assert problem in str(found)
    assert found.code == UNREADABLE


def test_fault_25_page_whose_checksum_is_wrong_is_refused() -> None:
    file = io.BytesIO()
    pq.write_table(TABLE, file, write_page_checksum=True)
    whole = file.getvalue()
    _, body = parse(whole, chunk_start(whole, 0, HASH))
    flipped = whole[:body] + bytes([whole[body] ^ 1]) + whole[body + 1 :]
    assert "cannot be decoded" in str(refused(flipped))


# --- faults 27: what cannot be read by its kind


def encrypted_footer() -> bytes:
    footer = footer_of(WHOLE)
    footer.append([8, STRUCT, [[1, STRUCT, []]]])
    return with_footer(WHOLE, footer)


def encrypted_column() -> bytes:
    footer = footer_of(WHOLE)
    columns = field(footer, 4, 0, 1)[2][1]
    columns[STATUS].append([8, STRUCT, [[1, STRUCT, []]]])
    return with_footer(WHOLE, footer)


@pytest.mark.parametrize(
    "data", [with_footer(WHOLE, footer_of(WHOLE), magic=b"PARE"), encrypted_footer(), encrypted_column()]
)
def test_fault_27_encrypted_object_says_so(data: bytes) -> None:
    found = refused(data)
    assert (found.code, "encrypted" in str(found)) == (ENCRYPTED, True)


@pytest.mark.parametrize("codec", ["zstd", "brotli", "lz4"])
def test_fault_27_codec_of_another_machine_is_refused_on_this_one_too(codec: str) -> None:
    file = io.BytesIO()
    pq.write_table(TABLE, file, compression=codec)
    found = refused(file.getvalue())
    assert found.code == CODEC
    assert "write it with snappy" in str(found)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_what_every_reader_knows_is_read(codec: str, version: Any) -> None:
    file = io.BytesIO()
    pq.write_table(TABLE, file, compression=codec, data_page_version=version)
    assert read(file.getvalue()).equals(TABLE)


# --- faults 28 to 30: too much of everything


def test_fault_28_oversized_object_is_not_read_at_all() -> None:
    def fetch(start: int, length: int) -> bytes:
        raise AssertionError("nobody asks for its bytes")

    with pytest.raises(UnreadableObject, match="it has 10737418240 bytes") as found:
        BronzeFile(RangedObject(10 * 2**30, fetch), ORDERS, METADATA)
    assert found.value.code == RESOURCE


def wide(columns: int) -> bytes:
    names = [f"column_{number}" for number in range(columns)]
    return parquet_bytes(pa.table({name: [1] for name in names}))


def deep(levels: int) -> bytes:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return parquet_bytes(pa.table({"deep": [value]}))


def too_much() -> dict[str, tuple[bytes, Limits, str]]:
    many = parquet_bytes(pa.concat_tables([TABLE] * 20), row_group_size=1)
    return {
        "columns": (wide(101), SMALL, "101 columns"),
        "10,000 columns": (wide(10_000), LIMITS, "10000 columns"),
        "nesting": (deep(12), LIMITS, "levels of nesting"),
        "row groups": (many, Limits(row_groups=50), "60 row groups"),
        "a footer": (many, Limits(footer_bytes=1000), "its footer has"),
        "rows": (many, Limits(rows=50), "60 rows"),
        "pages": (WHOLE, Limits(pages=5), "too many pages"),
        "bytes of a row group": (WHOLE, Limits(row_group_bytes=100), "a row group has"),
        "unpacked": (WHOLE, Limits(row_group_unpacked=100), "a row group unpacks to"),
        "unpacked in all": (WHOLE, Limits(object_unpacked=100), "it unpacks to"),
    }


@pytest.mark.parametrize("name", too_much())
def test_fault_30_object_that_asks_for_too_much_is_refused_by_its_figures(name: str) -> None:
    data, limits, problem = too_much()[name]
    found = refused(data, limits)
    assert problem in str(found)
    assert found.code == RESOURCE


def repeated(cell: str, rows: int) -> tuple[bytes, BronzeMetadata]:
    """A cell of a dictionary that every row repeats: little in the file, much in memory, and nothing of it forged."""
    one = bronze_table(ORDERS, [an_order()] * rows)
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([cell]))
    table = one.set_column(STATUS, "order_status", texts)
    file = io.BytesIO()
    pq.write_table(table, file, store_schema=False)
    return file.getvalue(), metadata_of(one)


def test_fault_29_dictionary_whose_entry_every_row_repeats_is_suspicious() -> None:
    data, metadata = repeated("x" * 200_000, 2000)  # 400 MB from a file of 100 kB
    with pytest.raises(SuspiciousObject, match="row group 0 may take"):
        read(data, metadata)
    small, metadata = repeated("x" * 2_000, 2000)
    assert len(read(small, metadata)) == 2000


def test_fault_29_texts_that_repeat_the_one_before_are_suspicious() -> None:
    rows = bronze_table(ORDERS, [an_order()] * 2000)
    table = rows.set_column(STATUS, "order_status", pa.array(["x" * 200_000 + str(n) for n in range(2000)]))
    file = io.BytesIO()
    pq.write_table(table, file, use_dictionary=False, column_encoding={"order_status": "DELTA_BYTE_ARRAY"})
    with pytest.raises(SuspiciousObject):
        read(file.getvalue(), metadata_of(rows))


def test_nested_columns_are_suspicious() -> None:
    table = TABLE.append_column("more", pa.array([[1], [2], [3]]))
    with pytest.raises(SuspiciousObject, match="nested"):
        read(parquet_bytes(table))


def test_compression_beyond_all_reason_is_suspicious() -> None:
    rows = bronze_table(ORDERS, [an_order()] * 100)
    table = rows.set_column(STATUS, "order_status", pa.array(["x" * 10**6] * 100))
    file = io.BytesIO()
    pq.write_table(table, file, compression="gzip", use_dictionary=False)
    with pytest.raises(SuspiciousObject, match="unpacks to"):
        read(file.getvalue(), metadata_of(rows))


@pytest.mark.parametrize("head", [b"\x19", b"\x1c"], ids=["lists", "structures"])
def test_structure_nested_without_end_is_refused(head: bytes) -> None:
    """Of lists in lists, as of structures in structures: each byte is one level more."""
    with pytest.raises(ThriftError, match="deeper than 16"):
        read_struct(b"\x19" + head * 5000)
