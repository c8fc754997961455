"""Ids and hashes: the same content gives the same, anything else gives others, in every language."""

import json
import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity import (
    Position,
    RowHasher,
    add_sums,
    event_id_of_content,
    event_id_of_position,
    hash_sum,
    row_hash,
    uuid8_of,
)
from tests.conftest import Golden

NOON_US = 1_520_164_800_000_000
CONTENTS: list[dict[str, Any]] = [
    {"entity": "orders", "source": "web", "occurred_at": NOON_US, "op": "upsert", "payload": {}},
    {
        "entity": "orders",
        "source": "web",
        "occurred_at": NOON_US,
        "op": "upsert",
        "payload": {"order_id": "a1", "order_status": "created", "order_approved_at": None},
    },
    {
        "entity": "order_items",
        "source": "loja-são-paulo",
        "occurred_at": -1,
        "op": "delete",
        "payload": {"order_id": "", "order_item_id": -(2**63), "price": "12.50"},
    },
]
POSITIONS = [
    Position("emb-1", "orders.v1", 0, 0),
    Position("load-0123456789abcdef", "geolocation.v1", 0, 2**63 - 1),
    Position("prod", "reviews.v1", 2**31 - 1, 7),
]
VALUES = [None, b"", b"\x00", bytes(range(256))]

texts = st.text(st.characters(codec="utf-8"), max_size=8)
payloads = st.dictionaries(texts, st.none() | texts | st.integers(-(2**63), 2**63 - 1), max_size=4)
contents = st.tuples(texts, texts, st.integers(-(2**63), 2**63 - 1), texts, payloads)
positions = st.builds(
    Position,
    st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True),
    st.from_regex(r"[a-z0-9._-]{1,8}", fullmatch=True),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
)
values = st.none() | st.binary(max_size=8)


def test_ids_and_hashes_are_those_of_the_golden_file(golden: Golden) -> None:
    """Other languages are tested against this file: see the rules in `lakehouse/identity.py`."""
    vectors = {
        "event_id_of_content": [{**c, "event_id": event_id_of_content(**c)} for c in CONTENTS],
        "event_id_of_position": [
            {"position": vars(p), "event_id": event_id_of_position(p)} for p in POSITIONS
        ],
        "row_hash": [
            {"position": vars(p), "value_hex": None if v is None else v.hex(), "row_hash": row_hash(p, v)}
            for p in POSITIONS
            for v in VALUES
        ],
    }
    golden.check("identity.json", json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


@given(st.binary(min_size=16, max_size=32))
def test_uuid8_is_of_version_eight_and_keeps_the_other_bits(digest: bytes) -> None:
    found = uuid.UUID(uuid8_of(digest))
    assert (found.version, found.variant) == (8, uuid.RFC_4122)
    free = ~(0xF << 76 | 0x3 << 62)
    assert found.int & free == int.from_bytes(digest[:16]) & free


@given(contents, contents)
def test_event_ids_are_equal_only_for_equal_content(one: Any, other: Any) -> None:
    def without_nulls(content: Any) -> Any:
        return (*content[:4], {k: v for k, v in content[4].items() if v is not None})

    same = without_nulls(one) == without_nulls(other)
    assert (event_id_of_content(*one) == event_id_of_content(*other)) == same


@given(contents)
def test_event_id_does_not_depend_on_order_or_nulls(content: Any) -> None:
    entity, source, occurred_at, op, payload = content
    turned = dict(reversed(payload.items())) | {"~absent": None}
    assert event_id_of_content(entity, source, occurred_at, op, turned) == event_id_of_content(*content)


def test_event_id_knows_a_number_from_its_text_and_a_name_from_a_value() -> None:
    def of(payload: dict[str, str | int | None]) -> str:
        return event_id_of_content("orders", "web", 0, "upsert", payload)

    assert len({of({"a": 1}), of({"a": "1"}), of({"a": "b"}), of({"ab": ""}), of({"a": "", "b": ""})}) == 5


@given(positions, values, positions, values)
def test_row_hashes_differ_with_position_and_bytes(
    one: Position, its: bytes | None, other: Position, others: bytes | None
) -> None:
    assert (row_hash(one, its) == row_hash(other, others)) == ((one, its) == (other, others))
    assert -(2**63) <= row_hash(one, its) < 2**63


@given(positions, values)
def test_row_hasher_agrees_with_row_hash_in_any_order(position: Position, value: bytes | None) -> None:
    hasher = RowHasher(position.log, position.topic, position.partition)
    assert hasher.hash_all([1, position.offset], [b"before", value])[1] == row_hash(position, value)


@given(positions, positions)
def test_positions_have_ids_of_their_own(one: Position, other: Position) -> None:
    assert (event_id_of_position(one) == event_id_of_position(other)) == (one == other)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.integers(0, 5))
def test_hash_sums_add_up_however_rows_are_split(hashes: list[int], cut: int) -> None:
    whole = hash_sum(hashes)
    assert 0 <= whole < 2**64
    assert add_sums(hash_sum(hashes[:cut]), hash_sum(hashes[cut:])) == whole
    assert whole == sum(h % 2**64 for h in hashes) % 2**64
