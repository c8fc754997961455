"""The ledger as hops use it: open, write, commit; and what the broker is known to hold."""

from collections.abc import Callable
from datetime import datetime
from typing import Self, TypeVar

import pg8000.native

from adapters.ledger.connection import Connection
from adapters.ledger.protocol import commit_revision, open_revision
from adapters.ledger.records import Opened, Outcome, Pins, SeenObject, Settled, Verdict

_T = TypeVar("_T")


class Ledger:
    """One per thread; moments (`at`) are aware datetimes.

    What a call returns is committed. After a LedgerError nothing is known to have happened; every call may be repeated.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def connect(cls, url: str) -> Self:
        """A ledger at `postgresql://…`; the connection is made by the first call."""
        return cls(Connection(url))

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()

    def migrate(self) -> list[str]:
        """Applies missing migrations; their names."""
        return self.connection.migrate()

    def open_object(self, seen: SeenObject, pins: Pins, at: datetime) -> Opened | Settled:
        """Pins what the object's outputs depend on, or says that it is settled.

        Whoever comes second gets the pins of the first. If an open revision was pinned to other rules, it is
        abandoned and the next one opened. Raises LedgerError when the object was replaced since it was first seen.
        """
        return self.read(lambda db: open_revision(db, seen, pins, at))

    def commit(self, opened: Opened, outcome: Outcome, at: datetime) -> Verdict:
        """Counts an attempt's outputs, once. The partition's row is locked for the length of this call only.

        Raises LedgerError, and counts nothing, when the rows or hash sums do not add up to the Bronze object's.
        """
        return self.read(lambda db: commit_revision(db, opened, outcome, at))

    def mark_gone(self, opened: Opened, problem: str) -> None:
        """The object vanished or was replaced before it was read: its offsets stay a named hole.

        An attempt that had read it before still commits.
        """
        self.read(
            lambda db: db.run(
                "update object set state = 'gone', problem = :problem where id = :id and state = 'open'",
                id=opened.object_id,
                problem=problem,
            )
        )

    def observe_partition(
        self, log: str, topic: str, partition: int, entity: str, start: int, end: int, at: datetime
    ) -> None:
        """Notes what the broker holds, `[start, end)`. Ends only grow, starts only shrink."""
        self.read(
            lambda db: db.run(
                """insert into partition_state (log, topic, partition, entity, broker_start, broker_end, observed_at)
                   values (:log, :topic, :partition, :entity, :start, :end, :at)
                   on conflict (log, topic, partition) do update set
                     broker_start = least(partition_state.broker_start, excluded.broker_start),
                     broker_end = greatest(partition_state.broker_end, excluded.broker_end),
                     observed_at = greatest(partition_state.observed_at, excluded.observed_at)""",
                log=log,
                topic=topic,
                partition=partition,
                entity=entity,
                start=start,
                end=end,
                at=at,
            )
        )

    def read(self, work: Callable[[pg8000.native.Connection], _T]) -> _T:
        """Runs statements in one transaction, several times if the database asks; see `adapters.ledger.reports`."""
        return self.connection.transaction(work)
