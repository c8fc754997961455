"""Waits until everything that was acknowledged is in Silver or Quarantine, by asking the ledger."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.ledger import Ledger, reports
from lakehouse.errors import LedgerError, RuntimeFault
from lakehouse.identity import Position

# (log, topic, partition) → end: the offsets below it are awaited.
Ends = Mapping[tuple[str, str, int], int]

# A flush is due every 2 s and an object takes 50 ms to check. A minute without one more row is a standstill.
_STANDSTILL_S = 60.0
_POLL_S = 0.25


def missing_rows(ledger: Ledger, ends: Ends) -> int:
    """Offsets below the ends that are neither landed and checked nor void."""
    known = {(p.log, p.topic, p.partition): p for p in reports.positions(ledger)}
    missing = 0
    for place, end in ends.items():
        position = known.get(place)
        if position is None:
            missing += end
            continue
        missing += max(0, end - position.end)
        missing += sum(max(0, min(high, end) - low) for low, high in position.open_ranges)
    return missing


def wait_until_checked(ledger: Ledger, ends: Ends, logs: Path, on_missing: Callable[[int], None]) -> None:
    """Returns when nothing is missing; RuntimeFault when nothing moves any more.

    A ledger that is away is waited for like one in which nothing moves: its PostgreSQL may just be started again.
    """
    least, moved_at = None, time.monotonic()
    while True:
        late = time.monotonic() - moved_at > _STANDSTILL_S
        try:
            missing = missing_rows(ledger, ends)
        except LedgerError:
            if late:
                raise
            time.sleep(_POLL_S)
            continue
        on_missing(missing)
        if missing == 0:
            return
        if least is None or missing < least:
            least, moved_at = missing, time.monotonic()
        elif late:
            raise RuntimeFault(
                f"{missing:,} acknowledged rows are not checked and nothing has moved for {_STANDSTILL_S:.0f} s. "
                f"Look at the logs in {logs}; they are not lost: `nexus up` goes on where it stopped."
            )
        time.sleep(_POLL_S)


def end_behind(position: Position) -> tuple[tuple[str, str, int], int]:
    """The end that awaits one position."""
    return (position.log, position.topic, position.partition), position.offset + 1
