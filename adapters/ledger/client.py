"""The ledger as hops use it: open, write, commit; and what the broker is known to hold."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Self, TypeVar

import pg8000.native

from adapters.ledger.connection import Connection
from adapters.ledger.protocol import commit_revision, lock_objects, open_revision, return_revisions
from adapters.ledger.records import Opened, Outcome, Pins, SeenObject, Settled, Verdict
from lakehouse.bronze import BronzeMetadata
from lakehouse.errors import LedgerAway, LedgerError

_T = TypeVar("_T")
_Item = TypeVar("_Item")


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

    def open_objects(
        self, objects: Sequence[tuple[SeenObject, Pins]], at: datetime
    ) -> list[Opened | Settled | LedgerError]:
        """As `open_object` for each, all in one transaction; one that is refused has its error for an answer.

        Then each has a transaction of its own. Raises LedgerAway when there is no ledger to ask.
        """
        return self._all_or_each(
            objects,
            lambda item: _place(item[0].metadata),
            lambda db, item: open_revision(db, item[0], item[1], at),
        )

    def commit_all(
        self, outcomes: Sequence[tuple[Opened, Outcome]], at: datetime
    ) -> list[Verdict | LedgerError]:
        """As `commit` for each, in one transaction under the locks of all; errors as `open_objects`."""
        return self._all_or_each(
            outcomes,
            lambda item: _place(item[0].metadata),
            lambda db, item: commit_revision(db, item[0], item[1], at),
            lambda db, items: lock_objects(db, [opened.metadata for opened, _ in items]),
        )

    def return_objects(self, objects: Sequence[Opened]) -> None:
        """Nobody tried to check them: what was opened counts no attempt."""
        ordered = sorted(objects, key=lambda opened: _place(opened.metadata))
        self.read(lambda db: return_revisions(db, ordered))

    def _all_or_each(
        self,
        items: Sequence[_Item],
        place: Callable[[_Item], tuple[object, ...]],
        work: Callable[[pg8000.native.Connection, _Item], _T],
        before: Callable[[pg8000.native.Connection, Sequence[_Item]], None] | None = None,
    ) -> list[_T | LedgerError]:
        """Answers in the order of the items; the work is done in that of their places, which all transactions keep."""
        order = sorted(range(len(items)), key=lambda number: place(items[number]))

        def all_of(numbers: Sequence[int]) -> dict[int, _T | LedgerError]:
            def run(db: pg8000.native.Connection) -> dict[int, _T | LedgerError]:
                if before is not None:
                    before(db, [items[number] for number in numbers])
                return {number: work(db, items[number]) for number in numbers}

            try:
                return self.read(run) if numbers else {}
            except LedgerAway:
                raise
            except LedgerError as error:
                if len(numbers) == 1:
                    return {numbers[0]: error}
                return {number: found for one in numbers for number, found in all_of([one]).items()}

        answers = all_of(order)
        return [answers[number] for number in range(len(items))]

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


def _place(metadata: BronzeMetadata) -> tuple[object, ...]:
    return metadata.log, metadata.topic, metadata.partition, metadata.first_offset
