"""What callers and the ledger tell each other: frozen values, no SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from lakehouse.bronze import BronzeMetadata


@dataclass(frozen=True)
class SeenObject:
    """A Bronze object as S3 shows it."""

    metadata: BronzeMetadata
    etag: str
    size: int


@dataclass(frozen=True)
class Pins:
    """What a verdict depends on besides the bytes."""

    contract_version: str
    rules_hash: str


@dataclass(frozen=True)
class Opened:
    """An object to check, with everything its outputs may depend on. The same for whoever opens this revision.

    `attempts` counts how often this revision was opened, this time included. `follows` is the newest committed
    revision, which a replay stands on; None before anything is committed.
    """

    object_id: int
    metadata: BronzeMetadata
    etag: str
    contract_version: str
    rules_hash: str
    revision: int
    attempts: int
    follows: int | None = None


@dataclass(frozen=True)
class Settled:
    """An object that needs no work, and its newest revision."""

    state: Literal["committed", "overlap", "gone"]
    revision: int


@dataclass(frozen=True)
class Outcome:
    """What one attempt wrote. Hash sums are unsigned, mod 2^64; reasons and warnings count rows by rule.

    `extras` counts rows by column that the contract does not know; the footers keep it, the ledger does not.
    """

    silver_key: str
    silver_rows: int
    silver_hash_sum: int
    quarantine_key: str | None = None
    quarantine_rows: int = 0
    quarantine_hash_sum: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    extras: Mapping[str, int] = field(default_factory=dict)


class Verdict(StrEnum):
    """What became of a commit."""

    COMMITTED = "committed"
    ALREADY = "already"  # another attempt of the same revision came first, with the same bytes
    SUPERSEDED = "superseded"  # a later revision is open: these outputs count for nothing
    OVERLAP = "overlap"  # another object holds some of the offsets: nothing is counted, loudly
