"""A CSV file is a log of its own: landed once, verified, and only then moved; the same file again changes nothing."""

import io
import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.objects import Stored
from bronze_writer import csv_source, load
from bronze_writer.load import LoadReport, load_file
from lakehouse.bronze import BronzeMetadata, bronze_schema
from lakehouse.catalog import Entity, Field, Kind, load_entities
from lakehouse.errors import InputError, LakeError
from lakehouse.identity import Position, event_id_of_position, row_hash
from tests.fakes.object_store import FakeObjectStore, StoreThatIsAway

SELLERS = load_entities()["sellers"]
HEADER = b"seller_id,seller_zip_code_prefix,seller_city,seller_state"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


class StoreThatStops(FakeObjectStore):
    """Takes so many objects of rows, then the loader is killed."""

    def __init__(self, objects: int) -> None:
        super().__init__()
        self.objects = objects

    def put_new(self, bucket: str, key: str, body: bytes, metadata: Mapping[str, str] = {}) -> Stored | None:
        if key.endswith(".parquet"):
            if not self.objects:
                raise KeyboardInterrupt
            self.objects -= 1
        return super().put_new(bucket, key, body, metadata)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sellers.csv"


def loaded(file: Path, store: FakeObjectStore, entity: Entity = SELLERS, **more: object) -> LoadReport:
    return load_file(file, entity, store, "b", **{"now": lambda: NOON, **more})  # type: ignore[arg-type]


def landed(store: FakeObjectStore) -> list[tuple[BronzeMetadata, list[dict[str, object]]]]:
    found = []
    for stored in store.keys("b", "sellers/year="):
        head = store.head("b", stored.key)
        assert head is not None
        metadata = BronzeMetadata.from_s3(head.metadata)
        assert str(metadata.key) == stored.key
        table = pq.read_table(io.BytesIO(store.get("b", stored.key)), use_threads=False)
        assert table.schema.remove_metadata() == bronze_schema(SELLERS, all_text=True)
        found.append((metadata, table.to_pylist()))
    return found


def rows_of(store: FakeObjectStore) -> list[dict[str, object]]:
    return [row for _, rows in landed(store) for row in rows]


def content(store: FakeObjectStore) -> dict[str, str]:
    return {stored.key: stored.etag for stored in store.keys("b", "")}


def test_rows_hold_cells_positions_and_the_moment_of_the_load(file: Path) -> None:
    record = b'"s1","01037","s\xc3\xa3o ""paulo"", sp",'
    file.write_bytes(b"\xef\xbb\xbf" + HEADER + b"\r\n" + record + b"\r\n" + b's2,2,"line\r\nbreak",SP\r\n')
    store = FakeObjectStore()
    report = loaded(file, store)
    position = Position(report.log, "sellers.v1", 0, 0)
    first, second = rows_of(store)
    assert first == {
        "seller_id": "s1",
        "seller_zip_code_prefix": "01037",
        "seller_city": 'são "paulo", sp',
        "seller_state": "",
        "event_id": event_id_of_position(position),
        "occurred_at": NOON_MS * 1000,
        "source": "load",
        "op": "upsert",
        "contract_version": "1.0.0",
        "pos_log": report.log,
        "pos_topic": "sellers.v1",
        "pos_partition": 0,
        "pos_offset": 0,
        "broker_time": NOON_MS,
        "registry_id": None,
        "row_hash": row_hash(position, record),
        "raw": None,
        "raw_reason": None,
    }
    assert (second["seller_city"], second["pos_offset"]) == ("line\r\nbreak", 1)
    assert (report.records, report.raw, report.objects, report.landed_now) == (2, 0, 1, True)


def test_manifest_fixes_the_moment_and_the_same_file_changes_nothing(file: Path) -> None:
    file.write_bytes(HEADER + b"\ns1,1,a,SP\n")
    store = FakeObjectStore()
    report = loaded(file, store)
    manifest = json.loads(store.get("b", f"sellers/_loads/{report.sha256}.json"))
    assert manifest == {
        "name": "sellers.csv",
        "bytes": file.stat().st_size,
        "records": 1,
        "as_of": NOON_MS,
        "contract_version": "1.0.0",
        "header": HEADER.decode().split(","),
    }
    before = content(store)
    other_name = file.rename(file.with_name("again.csv"))
    again = loaded(other_name, store, now=lambda: NOON + timedelta(days=3))
    assert content(store) == before
    assert not again.landed_now
    assert (again.as_of, again.log, again.objects, again.records) == (NOON_MS, report.log, 1, 1)


def test_file_is_of_the_newest_version_that_has_its_columns(file: Path) -> None:
    phone = Field("phone", 14, Kind.TEXT, False, None, "phone", "Phone.")
    mended = replace(SELLERS, version="1.0.1")
    newer = replace(SELLERS, version="1.1.0", fields=(phone, *SELLERS.fields), former=(SELLERS, mended))
    store = FakeObjectStore()
    file.write_bytes(HEADER + b"\ns1,13023,a,SP\n")
    loaded(file, store, entity=newer)
    file.write_bytes(HEADER + b",phone\ns2,13023,a,SP,11\n")
    loaded(file, store, entity=newer)
    tables = [
        pq.read_table(io.BytesIO(store.get("b", one.key)), use_threads=False).to_pylist()
        for one in store.keys("b", "sellers/year")
    ]
    rows = {row["seller_id"]: row for table in tables for row in table}
    assert {key: (row["phone"], row["contract_version"]) for key, row in rows.items()} == {
        "s1": (None, "1.0.1"),
        "s2": ("11", "1.1.0"),
    }
    file.write_bytes(b"phone\n11\n")
    with pytest.raises(InputError, match="A file of this entity begins with phone,seller_id"):
        loaded(file, store, entity=newer)


def test_fault_34_column_that_the_contract_does_not_know_lands_as_it_is(file: Path) -> None:
    file.write_bytes(
        HEADER.replace(b"seller_id", b"age,seller_id") + b',note\n5,s1,1,a,SP,"x, y"\n,s2,2,b,SP,\n'
    )
    store = FakeObjectStore()
    report = loaded(file, store)
    assert (report.unknown, report.absent, report.raw) == (("age", "note"), (), 0)
    [stored] = store.keys("b", "sellers/year=")
    table = pq.read_table(io.BytesIO(store.get("b", stored.key)), use_threads=False)
    assert table.select(["seller_id", "age", "note"]).to_pylist() == [
        {"seller_id": "s1", "age": "5", "note": "x, y"},
        {"seller_id": "s2", "age": "", "note": ""},
    ]


def test_columns_may_stand_in_another_order(file: Path) -> None:
    file.write_bytes(b'seller_state,"seller_city",seller_id,seller_zip_code_prefix\nSP,campinas,s1,13023\n')
    store = FakeObjectStore()
    loaded(file, store)
    [row] = rows_of(store)
    assert {f.name: row[f.name] for f in SELLERS.fields} == {
        "seller_id": "s1",
        "seller_zip_code_prefix": "13023",
        "seller_city": "campinas",
        "seller_state": "SP",
    }


def test_record_that_is_no_row_lands_as_its_bytes(file: Path) -> None:
    bad = [b"s2,2", b"s3,3,caf\xe9,SP", b's4,4,"x"y,SP', b's5,5,"never closed,SP\n']
    file.write_bytes(HEADER + b"\ns1,1,a,SP\n\n" + b"\n".join(bad))
    store = FakeObjectStore()
    report = loaded(file, store)
    rows = rows_of(store)
    assert [row["raw"] for row in rows] == [None, *bad]
    assert [row["raw_reason"] for row in rows] == [
        None,
        "the record has 2 cells instead of 4",
        "byte 9 of the record (0xe9) is not UTF-8",
        "text follows the closing quote of cell 3",
        "a quote is opened and never closed",
    ]
    for row, record in zip(rows[1:], bad, strict=True):
        assert [row[f.name] for f in SELLERS.fields] == [None] * 4
        position = Position(report.log, "sellers.v1", 0, int(str(row["pos_offset"])))
        assert (row["event_id"], row["row_hash"]) == (
            event_id_of_position(position),
            row_hash(position, record),
        )
        assert (row["op"], row["occurred_at"], row["source"]) == ("upsert", NOON_MS * 1000, "load")
    assert (report.records, report.raw, report.blank_lines) == (5, 4, 1)


REFUSED: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b"\xef\xbb\xbf", "is empty"),
    (b"\n\n", "is empty"),
    (HEADER + b"\n", "header and no records"),
    (HEADER.replace(b",", b";") + b"\ns1;1;a;SP\n", "separates its cells by semicolons.*commas"),
    (HEADER.replace(b",", b"\t") + b"\ns1\t1\ta\tSP\n", "by tabs"),
    (
        b"seller_id,seller_city,seller_state\ns1,a,SP\n",
        "lacks column 'seller_zip_code_prefix'; its header has",
    ),
    (b"s1,1,a,SP\n", "lacks columns 'seller_id', .*A file of this entity begins with seller_id,"),
    (
        HEADER.replace(b"seller_city", b"sellerCity") + b"\ns1,1,a,SP\n",
        "lacks column 'seller_city'; .*'sellerCity' looks like seller_city: give it that name",
    ),
    (HEADER + b",source\ns1,1,a,SP,x\n", "has column 'source', which the lake calls its own"),
    (HEADER + b",extras\ns1,1,a,SP,x\n", "has column 'extras', which the lake calls its own"),
    (HEADER + b",\ns1,1,a,SP,\n", "a column has no name"),
    (HEADER + b",Seller_ID\ns1,1,a,SP,x\n", "'seller_id' and 'Seller_ID' differ only in capitals"),
    (HEADER + b",seller_id\ns1,1,a,SP,s1\n", "has column 'seller_id' more than once"),
    (HEADER.replace(b"city", b"cit\xe9") + b"\ns1,1,a,SP\n", "0xe9 in its header is not UTF-8.*iconv"),
    (HEADER.replace(b"\n", b"\r") + b"\rs1,1,a,SP\r", "CR alone"),
    ("seller_id".encode("utf-16"), "is UTF-16 text"),
    (b"PK\x03\x04 ...", "is an Excel workbook"),
    (b"PAR1 ...", "is Parquet"),
    (HEADER + b'\ns1,1,"a' + b"x" * 3000, r"record 1 \(the header is 0\) is longer"),
]


@pytest.mark.parametrize(("body", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_file_that_is_no_csv_of_the_entity_is_refused_before_anything_is_written(
    file: Path, body: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_source, "_RECORD", 2000)
    file.write_bytes(body)
    store = FakeObjectStore()
    with pytest.raises(InputError, match=message) as refused:
        loaded(file, store, purge=True)
    assert str(file) in str(refused.value)
    assert content(store) == {}
    assert file.exists()


def test_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        loaded(tmp_path / "none.csv", FakeObjectStore())
    with pytest.raises(InputError, match="is a folder"):
        loaded(tmp_path, FakeObjectStore())


def many(count: int, seed: int = 1) -> bytes:
    dice = random.Random(seed)
    lines = [b"s%d,%d,%s,SP" % (n, n, b"x" * dice.randrange(30)) for n in range(count)]
    return HEADER + b"\n" + b"\n".join(lines) + b"\n"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the sizes of objects and blocks."""

    def make(rows: int = 100, size: int = 10**6, block: int = 1000) -> None:
        monkeypatch.setattr(load, "OBJECT_ROWS", rows)
        monkeypatch.setattr(load, "_OBJECT_BYTES", size)
        monkeypatch.setattr(csv_source, "_BLOCK", block)

    return make


def assert_whole(store: FakeObjectStore, file: Path, most: int) -> None:
    end = 0
    for metadata, rows in landed(store):
        assert metadata.previous_end == metadata.first_offset == end
        assert len(rows) == metadata.rows <= most
        end = metadata.end_offset
    records = file.read_bytes().splitlines()[1:]
    assert [row["pos_offset"] for row in rows_of(store)] == list(range(len(records)))
    log = str(rows_of(store)[0]["pos_log"])
    hashes = [row_hash(Position(log, "sellers.v1", 0, n), record) for n, record in enumerate(records)]
    assert [row["row_hash"] for row in rows_of(store)] == hashes


@given(st.data())
def test_load_that_was_stopped_is_finished_by_the_next_however_objects_are_cut(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("load") / "sellers.csv"
    file.write_bytes(many(120))
    store = StoreThatStops(0)
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(data.draw(st.integers(0, 4))):
            patch.setattr(load, "OBJECT_ROWS", data.draw(st.integers(10, 150)))
            patch.setattr(csv_source, "_BLOCK", data.draw(st.integers(200, 8_000)))
            store.objects = data.draw(st.integers(0, 3))
            with suppress(KeyboardInterrupt):
                loaded(file, store)
        store.objects = 10**6
        report = loaded(file, store)
    assert report.records == 120
    assert_whole(store, file, 150)


def test_objects_are_bounded_by_rows_and_by_bytes(file: Path, small: Callable[..., None]) -> None:
    file.write_bytes(many(1000))
    small(rows=100)
    by_rows = FakeObjectStore()
    calls: list[tuple[int, int]] = []
    loaded(file, by_rows, progress=lambda done, total: calls.append((done, total)))
    assert_whole(by_rows, file, 100)
    assert calls[-1] == (1000, 1000)
    assert calls == sorted(calls)
    assert len(calls) >= 10
    small(rows=10**6, size=3000)
    by_bytes = FakeObjectStore()
    loaded(file, by_bytes)
    assert_whole(by_bytes, file, 300)


def test_file_that_changes_under_the_load_is_noticed_before_its_bytes_land(
    file: Path, small: Callable[..., None]
) -> None:
    small()
    file.write_bytes(many(1000))
    store = FakeObjectStore()

    def spoil(done: int, total: int) -> None:
        if done < 300:
            file.write_bytes(many(1000, seed=2))

    with pytest.raises(InputError, match="was changed while it was loaded"):
        loaded(file, store, progress=spoil, purge=True)
    assert file.exists()
    file.write_bytes(many(1000))
    loaded(file, store)
    assert_whole(store, file, 100)


def test_file_that_grew_after_the_load_is_not_purged(file: Path, small: Callable[..., None]) -> None:
    small()
    file.write_bytes(many(300))

    def grow(done: int, total: int) -> None:
        if done == total:
            with file.open("ab") as more:
                more.write(b"s,1,late,SP\n")

    with pytest.raises(InputError, match="was changed"):
        loaded(file, FakeObjectStore(), progress=grow, purge=True)
    assert b"late" in file.read_bytes()


def test_file_is_archived_or_purged_once_verified(file: Path, tmp_path: Path) -> None:
    body = many(10)
    file.write_bytes(body)
    store = FakeObjectStore()
    archived = loaded(file, store, archive=tmp_path / "done" / "deep")
    assert archived.moved_to is not None
    assert archived.moved_to.name == f"{archived.sha256[:16]}-sellers.csv"
    assert archived.moved_to.read_bytes() == body
    assert not file.exists()
    file.write_bytes(body)
    assert loaded(file, store, purge=True).purged
    assert not file.exists()


def test_archive_and_purge_at_once_are_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(many(1))
    with pytest.raises(InputError, match="Choose one"):
        loaded(file, FakeObjectStore(), archive=tmp_path, purge=True)


def spoiled(store: FakeObjectStore, change: Callable[[bytes], bytes]) -> None:
    """Replaces the first object of rows."""
    key = next(store.keys("b", "sellers/year=")).key
    head = store.head("b", key)
    assert head is not None
    store.put("b", key, change(store.get("b", key)), head.metadata)


def without_a_row(body: bytes) -> bytes:
    table = pq.read_table(io.BytesIO(body), use_threads=False)
    out = io.BytesIO()
    pq.write_table(table.slice(1), out)
    return out.getvalue()


def with_another_hash(body: bytes) -> bytes:
    table = pq.read_table(io.BytesIO(body), use_threads=False)
    hashes = table["row_hash"].to_pylist()
    out = io.BytesIO()
    index = table.schema.get_field_index("row_hash")
    pq.write_table(table.set_column(index, "row_hash", pa.array([hashes[0] ^ 1, *hashes[1:]])), out)
    return out.getvalue()


@pytest.mark.parametrize("change", [without_a_row, with_another_hash])
def test_bronze_that_does_not_hold_the_file_keeps_it_from_being_purged(
    file: Path, change: Callable[[bytes], bytes]
) -> None:
    file.write_bytes(many(10))
    store = FakeObjectStore()
    loaded(file, store)
    spoiled(store, change)
    with pytest.raises(LakeError, match="The file was left where it is"):
        loaded(file, store, purge=True)
    assert file.exists()


def test_store_that_is_away_is_waited_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bronze_writer.lake._WAIT", lambda state: 0)
    file.write_bytes(many(10))
    store = StoreThatIsAway(failures=10)
    assert loaded(file, store).landed_now


def test_two_files_with_the_same_records_are_two_logs(file: Path) -> None:
    file.write_bytes(many(10))
    store = FakeObjectStore()
    first = loaded(file, store)
    file.write_bytes(many(10) + b"\n")
    second = loaded(file, store)
    assert first.log != second.log
    assert second.landed_now
    assert len(rows_of(store)) == 20
