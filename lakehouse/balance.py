"""The balance: `bronze = silver + quarantine + erased + unchecked`, by rows and by hash sum; positions likewise."""

from dataclasses import dataclass, fields
from typing import Self

_MODULUS = 2**64


@dataclass(frozen=True)
class Amount:
    """Rows, and the sum of their hashes mod 2^64: a loss and a double cancel in the first, not in the second."""

    rows: int = 0
    hash_sum: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.rows + other.rows, (self.hash_sum + other.hash_sum) % _MODULUS)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.rows - other.rows, (self.hash_sum - other.hash_sum) % _MODULUS)


@dataclass(frozen=True)
class Balance:
    """Where the Bronze rows of one entity (or of all) are."""

    bronze: Amount = Amount()
    silver: Amount = Amount()
    quarantine: Amount = Amount()
    erased: Amount = Amount()
    unchecked: Amount = Amount()

    def __add__(self, other: Self) -> "Balance":
        return Balance(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def difference(self) -> Amount:
        """Bronze less what is accounted for: zero in rows and hash sum unless something is wrong."""
        return self.bronze - self.silver - self.quarantine - self.erased - self.unchecked

    @property
    def closed(self) -> bool:
        """Everything is accounted for and nothing waits."""
        return self.difference == Amount() and self.unchecked == Amount()


@dataclass(frozen=True)
class PositionBalance:
    """`broker end - start = landed + void + unlanded` for one partition of a log."""

    log: str
    topic: str
    partition: int
    entity: str
    start: int
    end: int
    landed: int
    void: int
    open_ranges: tuple[tuple[int, int], ...] = ()  # the unlanded offsets, half open

    @property
    def unlanded(self) -> int:
        """Offsets that the broker gave out and nobody has accounted for yet."""
        return self.end - self.start - self.landed - self.void


@dataclass(frozen=True)
class VoidRange:
    """Offsets `[first, end)` that will never land, and why."""

    log: str
    topic: str
    partition: int
    first: int
    end: int
    reason: str
