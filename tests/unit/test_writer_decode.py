"""Kafka values → Bronze rows: decoded or raw, in order, none skipped."""

import io
import uuid
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bronze_writer.decode import Decoder
from bronze_writer.lake import PatientStore
from bronze_writer.landing import Place
from bronze_writer.partition_writer import Record
from bronze_writer.rows import event_ids_of_positions
from bronze_writer.schemas import Schemas, admit
from lakehouse.bronze import bronze_schema
from lakehouse.catalog import Entity, load_entities
from lakehouse.errors import RegistryError
from lakehouse.identity import Position, event_id_of_position, hash_sum, row_hash
from lakehouse.paths import schema_definition_key
from lakehouse.wire import FieldTable, Undecodable, decode, encode, frame_header, parse_definition, unframe
from tests.fakes.object_store import FakeObjectStore

PAYMENTS = load_entities()["payments"]
TABLE = FieldTable.of(PAYMENTS)
PLACE = Place("payments", "log-1", "payments.v1", 2)
NOW = 1_700_000_000_000
CURRENT, NEWER, ODD, FOREIGN, UNKNOWN = (str(uuid.UUID(int=n)) for n in range(1, 6))
NEWER_DEFINITION = PAYMENTS.definition.replace(
    "}", "  optional string voucher = 15;\n  optional int64 cents = 16;\n}"
)
ODD_DEFINITION = PAYMENTS.definition.replace("}", "  optional string cents = 16;\n}")
DEFINITIONS = {
    CURRENT: PAYMENTS.definition,
    NEWER: NEWER_DEFINITION,
    ODD: ODD_DEFINITION,
    FOREIGN: load_entities()["orders"].definition,
}


class FakeRegistry:
    """Definitions by id; away for the next `away` questions."""

    def __init__(self, definitions: Mapping[str, str] = DEFINITIONS, away: int = 0) -> None:
        self.definitions, self.away, self.asked = dict(definitions), away, 0

    def definition(self, schema_version_id: str) -> str | None:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise RegistryError("the registry is away")
        return self.definitions.get(schema_version_id)


def schemas(store: FakeObjectStore | None = None, registry: FakeRegistry | None = None) -> Schemas:
    return Schemas(PatientStore(store or FakeObjectStore(), "b", 60), registry or FakeRegistry(), 60)


def a_payment(**changes: str | int | None) -> dict[str, str | int | None]:
    return {
        "event_id": "e-1",
        "occurred_at": NOW * 1000,
        "source": "web-shop",
        "op": "upsert",
        "contract_version": "1.0.0",
        "order_id": "o1",
        "payment_sequential": 1,
        "payment_type": "boleto",
        "payment_installments": 3,
        "payment_value": "12.50",
    } | changes


def value(row: Mapping[str, str | int | None], schema: str = CURRENT) -> bytes:
    table = parse_definition(DEFINITIONS.get(schema, PAYMENTS.definition))
    assert isinstance(table, FieldTable)
    return frame_header(schema) + encode(TABLE if schema == FOREIGN else table, row)


def rows_of(
    values: Sequence[bytes | None], first: int = 40, entity: Entity = PAYMENTS
) -> list[dict[str, object]]:
    return table_of(values, first, entity).to_pylist()


def table_of(values: Sequence[bytes | None], first: int = 40, entity: Entity = PAYMENTS) -> pa.Table:
    records = [Record(first + i, NOW + i, v) for i, v in enumerate(values)]
    encoded = Decoder(entity, schemas()).encode(PLACE, records)
    assert encoded.rows == len(values)
    table = pq.read_table(io.BytesIO(encoded.body), use_threads=False)
    hashes = [row_hash(Position("log-1", "payments.v1", 2, first + i), v) for i, v in enumerate(values)]
    assert table["row_hash"].to_pylist() == hashes
    assert encoded.hash_sum == hash_sum(hashes)
    return table


def test_decoded_row_holds_columns_envelope_and_position() -> None:
    [row] = rows_of([value(a_payment())])
    assert row | {"row_hash": 0} == a_payment() | {
        "pos_log": "log-1",
        "pos_topic": "payments.v1",
        "pos_partition": 2,
        "pos_offset": 40,
        "broker_time": NOW,
        "registry_id": CURRENT,
        "row_hash": 0,
        "raw": None,
        "raw_reason": None,
    }


def test_object_has_the_schema_of_the_domain_in_its_order() -> None:
    assert table_of([value(a_payment())]).schema.remove_metadata() == bronze_schema(PAYMENTS, all_text=False)
    assert table_of([None]).schema.remove_metadata() == bronze_schema(PAYMENTS, all_text=False)


def test_row_without_id_or_op_gets_them() -> None:
    first, second = rows_of([value(a_payment(event_id=None, op=None)), value(a_payment())])
    assert first["event_id"] == event_id_of_position(Position("log-1", "payments.v1", 2, 40))
    assert first["op"] == "upsert"
    assert second["event_id"] == "e-1"


def test_delete_stays_a_delete_and_an_absent_moment_stays_absent() -> None:
    [row] = rows_of([value(a_payment(op="delete", occurred_at=None))])
    assert (row["op"], row["occurred_at"]) == ("delete", None)


UNDECODABLE = [
    (None, "tombstone"),
    (b"", "0 bytes are too few"),
    (b"\x03\x00short", "too few"),
    (b"\x00" + value(a_payment())[1:], "starts with 0x00"),
    (b"\x03\x05" + value(a_payment())[2:], "compression byte 0x05"),
    (value(a_payment())[:18] + b"\x02" + value(a_payment())[19:], "message index"),
    (value(a_payment(), UNKNOWN), f"does not know schema {UNKNOWN}"),
    (value(a_payment(), FOREIGN), "message Order, not Payment"),
    (value(a_payment())[:-1], "ends inside payment_value"),
    (value(a_payment()) + b"\xfa\x7f\x00", "field number 2047"),
    (value(a_payment()).replace(b"boleto", b"bol\xffto"), "payment_type is not valid UTF-8"),
]


@pytest.mark.parametrize(("bad", "reason"), UNDECODABLE, ids=[reason for _, reason in UNDECODABLE])
def test_undecodable_value_lands_raw_between_its_neighbours(bad: bytes | None, reason: str) -> None:
    before, raw, after = rows_of([value(a_payment()), bad, value(a_payment(event_id="e-2"))])
    assert (before["event_id"], after["event_id"], before["raw"], after["raw_reason"]) == (
        "e-1",
        "e-2",
        None,
        None,
    )
    assert raw["raw"] == bad
    assert reason in str(raw["raw_reason"])
    assert raw["event_id"] == event_id_of_position(Position("log-1", "payments.v1", 2, 41))
    assert raw["occurred_at"] == (NOW + 1) * 1000
    nothing = [f.name for f in PAYMENTS.fields] + ["source", "op", "contract_version"]
    assert {name: raw[name] for name in nothing} == dict.fromkeys(nothing)
    assert (raw["pos_offset"], raw["broker_time"]) == (41, NOW + 1)


def test_column_of_a_newer_version_is_kept() -> None:
    rows = rows_of([value(a_payment()), value(a_payment(voucher="v", cents=7), NEWER), value(a_payment())])
    assert [(r["voucher"], r["cents"], r["registry_id"]) for r in rows] == [
        (None, None, CURRENT),
        ("v", 7, NEWER),
        (None, None, CURRENT),
    ]
    names = table_of([value(a_payment(voucher="v"), NEWER)]).schema.names
    assert names[-2:] == ["voucher", "cents"]


def test_versions_that_disagree_on_a_type_land_raw() -> None:
    newer, odd = rows_of([value(a_payment(cents=7), NEWER), value(a_payment(cents="7"), ODD)])
    assert newer["cents"] == 7
    assert odd["raw_reason"] == "schema versions disagree on the type of cents"
    assert odd["raw"] == value(a_payment(cents="7"), ODD)


VALUES = st.one_of(
    st.builds(
        lambda event_id, n, text, schema: value(
            a_payment(event_id=event_id, payment_sequential=n, payment_type=text), schema
        ),
        st.one_of(st.none(), st.text(max_size=5)),
        st.integers(-(2**63), 2**63 - 1),
        st.text(max_size=8),
        st.sampled_from([CURRENT, NEWER, UNKNOWN]),
    ),
    st.binary(max_size=40),
    st.none(),
    st.binary(max_size=30).map(lambda tail: frame_header(CURRENT) + tail),
)


@given(st.lists(VALUES, min_size=1, max_size=10))
def test_every_value_becomes_one_row_in_order(values: list[bytes | None]) -> None:
    for row, sent in zip(rows_of(values), values, strict=True):
        framed = unframe(sent)
        table = (
            None
            if isinstance(framed, Undecodable)
            else parse_definition(DEFINITIONS.get(framed.schema_version_id, ""))
        )
        decoded = decode(table, framed.message) if isinstance(table, FieldTable) else None  # type: ignore[union-attr]
        if isinstance(decoded, dict):
            assert row["raw_reason"] is None
            assert row["raw"] is None
            assert {f.name: row[f.name] for f in PAYMENTS.fields} == {
                f.name: decoded.get(f.name) for f in PAYMENTS.fields
            }
        else:
            assert row["raw_reason"]
            assert row["raw"] == sent


@given(st.lists(st.integers(0, 2**63 - 1), max_size=5), st.integers(0, 2**31 - 1))
def test_many_ids_of_positions_equal_the_reference(offsets: list[int], partition: int) -> None:
    place = Place("payments", "log-1", "payments.v1", partition)
    expected = [event_id_of_position(Position("log-1", "payments.v1", partition, o)) for o in offsets]
    assert event_ids_of_positions(place, offsets).to_pylist() == expected


def test_definition_is_kept_in_the_lake_and_read_from_there_first() -> None:
    store, registry = FakeObjectStore(), FakeRegistry()
    assert schemas(store, registry).table(CURRENT, PAYMENTS) == TABLE
    assert store.get("b", schema_definition_key(CURRENT)).decode() == PAYMENTS.definition
    gone = FakeRegistry({})
    assert schemas(store, gone).table(CURRENT, PAYMENTS) == TABLE
    assert (registry.asked, gone.asked) == (1, 0)


def test_registry_that_is_away_is_asked_again_and_never_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bronze_writer.schemas._WAIT", lambda state: 0)
    assert schemas(registry=FakeRegistry(away=9)).table(CURRENT, PAYMENTS) == TABLE


def test_registry_that_stays_away_stops_the_writer() -> None:
    away = Schemas(PatientStore(FakeObjectStore(), "b", 60), FakeRegistry(away=10**6), patience_s=0)
    with pytest.raises(RegistryError):
        away.table(CURRENT, PAYMENTS)


def test_unknown_id_is_asked_for_again() -> None:
    registry = FakeRegistry({})
    known = schemas(registry=registry)
    assert isinstance(known.table(CURRENT, PAYMENTS), Undecodable)
    registry.definitions[CURRENT] = PAYMENTS.definition
    assert known.table(CURRENT, PAYMENTS) == TABLE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("message Payment", "message Payments"), "message Payments, not Payment"),
        (
            ("int64 payment_sequential", "string payment_sequential"),
            "payment_sequential as text, the contract as int64",
        ),
        (("}", "optional string pos_log = 20;}"), "name of the lake's own"),
        (("}", "optional string payment_type = 20;}"), "names payment_type twice"),
    ],
)
def test_definition_that_bronze_cannot_hold_is_refused(change: tuple[str, str], reason: str) -> None:
    table = parse_definition(PAYMENTS.definition.replace(*change))
    assert isinstance(table, FieldTable)
    fault = admit(PAYMENTS, table)
    assert isinstance(fault, Undecodable)
    assert reason in fault.reason
