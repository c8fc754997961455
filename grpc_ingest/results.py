"""What became of the events a program sent: the same for the gRPC client and the plain producer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from grpc_ingest.refusal import Refusal
from lakehouse.errors import BrokerError
from lakehouse.identity import Position


class EventResult(NamedTuple):
    """One event's end: a position once Kafka has it, or why it was given up. `attempts` counts its sendings."""

    entity: str
    event_id: str
    position: Position | None
    refusal: Refusal | None
    attempts: int


@dataclass
class Counts:
    """Events so far: `sent = acknowledged + refused + pending`. `resent` counts sendings beyond the first."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    resent: int = 0

    @property
    def pending(self) -> int:
        """Neither acknowledged nor given up."""
        return self.sent - self.acknowledged - self.refused


OnResults = Callable[[Sequence[EventResult]], None]


class BufferFull(BrokerError):
    """As many events as may wait do wait: the event was not taken, and may be offered again later."""
