"""What identifies an event and a row: positions, event ids, row hashes and their sums."""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_MASK_64 = 2**64 - 1
_POSITION_TAIL = struct.Struct(">iqq")  # partition, offset, length of the value (-1: no value)
_LENGTH = struct.Struct(">q")


@dataclass(frozen=True, order=True)
class Position:
    """Where a row stands for ever: `log` is one incarnation of a topic, or one batch file."""

    log: str
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.log}/{self.topic}/{self.partition}/{self.offset}"


def uuid8_of(digest: bytes) -> str:
    """UUIDv8 (RFC 9562) of the first 16 bytes of a digest, in canonical text."""
    number = int.from_bytes(digest[:16])
    number &= ~(0xF << 76) & ~(0x3 << 62)
    text = f"{number | (0x8 << 76) | (0x2 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def event_id_of_content(
    entity: str,
    source: str,
    occurred_at: int,
    op: str,
    payload: Mapping[str, str | int | None],
) -> str:
    """The id a client gives an event that has none of its own: the same content, the same id.

    Args:
        occurred_at: microseconds since 1970 UTC.
        payload: columns of the entity; absent and None are the same; order does not matter.

    The digest runs over parts of the form kind, length (8 bytes, big-endian), bytes, so no two different contents share
    their bytes: kind `e` for each of the four texts, then per column, by name, `n` for the name and `t` or `i` for a
    text or a number in decimal. `tests/golden/identity.json` has examples.
    """
    parts: list[bytes] = []
    for part in (entity, source, str(occurred_at), op):
        parts += _prefixed(b"e", part.encode())
    for name in sorted(payload):
        value = payload[name]
        if value is None:
            continue
        parts += _prefixed(b"n", name.encode())
        if isinstance(value, int):
            parts += _prefixed(b"i", b"%d" % value)
        else:
            parts += _prefixed(b"t", value.encode())
    return uuid8_of(hashlib.sha256(b"".join(parts)).digest())


def event_id_of_position(position: Position) -> str:
    """The id of a row that carries none: derived from where it stands, so it never changes."""
    return uuid8_of(hashlib.sha256(b"position\0" + str(position).encode()).digest())


def row_hash(position: Position, value: bytes | None) -> int:
    """Signed 64-bit hash of a row: its position and the exact bytes that arrived (None: a tombstone)."""
    hasher = RowHasher(position.log, position.topic, position.partition)
    return hasher.hash_all([position.offset], [value])[0]


class RowHasher:
    """`row_hash` for many rows of one partition, with the constant part digested once."""

    def __init__(self, log: str, topic: str, partition: int) -> None:
        self._start = hashlib.sha256(f"{log}\0{topic}\0".encode())
        self._partition = partition

    def hash_all(self, offsets: Iterable[int], values: Iterable[bytes | None]) -> Sequence[int]:
        """Signed 64-bit hashes of the rows at these offsets. A writer spends a tenth of its time here."""
        copy, pack, partition = self._start.copy, _POSITION_TAIL.pack, self._partition
        digests = []
        for offset, value in zip(offsets, values, strict=True):
            digest = copy()
            digest.update(
                pack(partition, offset, -1) if value is None else pack(partition, offset, len(value)) + value
            )
            digests.append(digest.digest()[:8])
        return struct.unpack(f">{len(digests)}q", b"".join(digests))


def hash_sum(hashes: Iterable[int]) -> int:
    """Sum of row hashes mod 2^64, unsigned: what the balance compares."""
    return sum(hashes) & _MASK_64


def add_sums(*sums: int) -> int:
    """Sum of unsigned hash sums mod 2^64."""
    return sum(sums) & _MASK_64


def _prefixed(kind: bytes, part: bytes) -> tuple[bytes, bytes, bytes]:
    return kind, _LENGTH.pack(len(part)), part
