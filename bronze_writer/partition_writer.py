"""One partition of a stream between Kafka and its objects: what was read and is not yet safe. No Kafka in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bronze_writer.landing import (
    EXPIRED,
    TRANSACTION_MARKER,
    AnotherHistory,
    Encoded,
    Landing,
    Place,
)
from lakehouse.bronze import BronzeMetadata

# Last millisecond of the year 9999. A producer's clock can say anything; a key's day needs a calendar day.
_LAST_TIME_MS = 253_402_300_799_999


class Record(NamedTuple):
    """One Kafka record. `value` None is a tombstone; `broker_time` is in milliseconds UTC."""

    offset: int
    broker_time: int
    value: bytes | None

    @classmethod
    def at(cls, offset: int, broker_time: int, value: bytes | None) -> "Record":
        """A record with its time brought within 1970 to 9999."""
        if not 0 <= broker_time <= _LAST_TIME_MS:
            broker_time = min(max(broker_time, 0), _LAST_TIME_MS)
        return cls(offset, broker_time, value)


Encode = Callable[[Place, Sequence[Record]], Encoded]


@dataclass(frozen=True)
class Limits:
    """When a partition's rows become an object: whichever comes first. `seconds` is wall clock since its first row."""

    size: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """Records of consecutive offsets, at least one; a `landing.Batch`."""

    place: Place
    records: Sequence[Record]
    void_reason: str
    encoder: Encode

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self.records[0].offset

    @property
    def end_offset(self) -> int:
        """Behind the last record."""
        return self.records[-1].offset + 1

    @property
    def first_broker_time(self) -> int:
        """Milliseconds UTC."""
        return self.records[0].broker_time

    def from_offset(self, offset: int) -> "Run":
        """The records from this offset on."""
        return replace(self, records=self.records[offset - self.first_offset :], void_reason="")

    def encode(self) -> Encoded:
        """The object's bytes."""
        return self.encoder(self.place, self.records)


class PartitionWriter:
    """Takes a partition's records in offset order and hands them out in batches that start behind what is landed.

    Not thread safe: one thread takes and seals, another may `land` what was sealed meanwhile. Records that are
    landed already are passed over by offset, so it does not matter where reading starts, as long as it is not
    behind `start`.

    Args:
        newest: the partition's last object in S3, None when nothing was ever landed. Offsets of a log start at 0.
    """

    def __init__(self, place: Place, limits: Limits, encoder: Encode, newest: BronzeMetadata | None) -> None:
        if newest is not None:
            place.require_same_history(newest)
        self.place = place
        self.landed_end = newest.end_offset if newest else 0
        self._limits, self._encoder = limits, encoder
        # The first record of the newest object, to be seen once more: another broker time is another history.
        self._proof = newest
        self._runs: list[list[Record]] = []
        self._reasons: list[str] = []
        self._gap_reason = TRANSACTION_MARKER
        self._next = self.landed_end
        self._rows = self._size = 0
        self._since: float | None = None

    @property
    def start(self) -> int:
        """Where reading has to start: at the record that proves the history, else right behind what is landed."""
        return self._proof.first_offset if self._proof else self._next

    @property
    def next_offset(self) -> int:
        """The next offset wanted: everything before it is landed, taken or void."""
        return self._next

    @property
    def idle(self) -> bool:
        """Whether nothing is held that is not sealed."""
        return not self._runs

    @property
    def full(self) -> bool:
        """Whether as much is held as one object should have."""
        return self._size >= self._limits.size or self._rows >= self._limits.rows

    def due(self, now: float) -> bool:
        """Whether what is held should become an object; `now` is the clock that `take` was given."""
        return self._since is not None and (self.full or now - self._since >= self._limits.seconds)

    def check_range(self, low: int, high: int) -> int:
        """What the broker holds is `[low, high)`: the lost offsets, those below `low` that were never read.

        They are void in the next object's metadata. Raises AnotherHistory when the broker ends before what is
        landed or taken.
        """
        if high < self._next:
            raise AnotherHistory(self.place, f"it ends at offset {high}, landed was up to {self._next}")
        if self._proof is not None and self._proof.first_offset < low:
            self._proof = None  # retention took the record: nothing is left to compare
        lost = max(0, low - self._next)
        if lost:
            self._next, self._gap_reason = low, EXPIRED
        return lost

    def take(self, record: Record, now: float) -> bool:
        """Holds a record, or passes it over when it is landed already; whether what follows may be skipped to `start`.

        Raises AnotherHistory.
        """
        proved = False
        if self._proof is not None and record.offset >= self._proof.first_offset:
            self._compare(record, self._proof)
            self._proof, proved = None, True
        if record.offset < self._next:
            return proved and record.offset + 1 < self._next
        if self._since is None:
            self._since = now
        if not self._runs or record.offset > self._next or self._gap_reason == EXPIRED:
            self._runs.append([])
            self._reasons.append(self._gap_reason)
            self._gap_reason = TRANSACTION_MARKER
        self._runs[-1].append(record)
        self._next = record.offset + 1
        self._rows += 1
        self._size += len(record.value) if record.value is not None else 0
        return False

    def seal(self) -> list[Run]:
        """Everything held, in offset order, to be landed; what is taken from now on comes behind it."""
        sealed = [
            Run(self.place, records, reason, self._encoder)
            for records, reason in zip(self._runs, self._reasons, strict=True)
        ]
        self._runs, self._reasons = [], []
        self._rows = self._size = 0
        self._since = None
        return sealed

    def settle(self, landing: Landing) -> None:
        """Notes what is safe. Where a rival is ahead of what was taken, it is followed: it landed the same records."""
        self.landed_end = landing.end
        self._next = max(self._next, landing.end)
        if not self._runs or self._runs[0][0].offset >= landing.end:
            return
        kept = [[r for r in run if r.offset >= landing.end] for run in self._runs]
        self._reasons = [reason for run, reason in zip(kept, self._reasons, strict=True) if run]
        self._runs = [run for run in kept if run]
        self._rows = sum(map(len, self._runs))
        self._size = sum(len(r.value) for run in self._runs for r in run if r.value is not None)
        self._since = self._since if self._runs else None

    def _compare(self, record: Record, proof: BronzeMetadata) -> None:
        if record.offset == proof.first_offset and record.broker_time != proof.first_broker_time:
            raise AnotherHistory(
                self.place,
                f"offset {record.offset} has broker time {record.broker_time} ms, landed was "
                f"{proof.first_broker_time} ms",
            )
