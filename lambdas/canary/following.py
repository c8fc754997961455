"""Follows positions by the ledger, which knows objects by ranges of offsets; nothing of the lake is searched."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from adapters.ledger import Ledger, reports
from adapters.ledger.reports import ObjectState
from adapters.objects import ObjectStore
from lakehouse.bronze import BronzeMetadata
from lakehouse.errors import LedgerError
from lakehouse.identity import Position
from lakehouse.paths import BronzeKey, bronze_log_prefix

# Between two looks: a dozen short queries each, on a database that commits hundreds of objects a minute.
LOOK_EVERY_S = 2.0
UNHEARD = "unheard"


@dataclass(frozen=True)
class Trail:
    """Committed objects that hold positions; the other positions by the state of their object, or `unheard`."""

    committed: tuple[ObjectState, ...]
    waiting: Mapping[str, tuple[Position, ...]]


def follow(
    ledger: Ledger,
    positions: Collection[Position],
    patience_s: float,
    seconds: Callable[[], float],
    pause: Callable[[float], None],
) -> Trail:
    """Looks until all positions are in committed objects, or patience ends. A ledger that is away is waited for too."""
    end = seconds() + patience_s
    while True:
        last = seconds() >= end
        try:
            trail = look(ledger, positions)
            if last or not trail.waiting:
                return trail
        except LedgerError:
            if last:
                raise
        pause(LOOK_EVERY_S)


def look(ledger: Ledger, positions: Collection[Position]) -> Trail:
    """Where the positions are now."""
    committed: list[ObjectState] = []
    waiting: dict[str, list[Position]] = defaultdict(list)
    for of_partition in _by_partition(positions):
        objects = reports.objects_over(ledger, of_partition[0], of_partition[-1].offset + 1)
        for position in of_partition:
            held = [one for one in objects if one.first_offset <= position.offset < one.end_offset]
            # several can claim an offset; one of them at most is committed
            held.sort(key=lambda one: one.state != "committed")
            if held and held[0].state == "committed":
                committed.append(held[0])
            else:
                waiting[held[0].state if held else UNHEARD].append(position)
    return Trail(tuple(dict.fromkeys(committed)), {state: tuple(found) for state, found in waiting.items()})


def _by_partition(positions: Collection[Position]) -> Iterator[Sequence[Position]]:
    groups: dict[tuple[str, str, int], list[Position]] = defaultdict(list)
    for position in sorted(positions):
        groups[position.log, position.topic, position.partition].append(position)
    yield from groups.values()


def explain(trail: Trail, store: ObjectStore, bronze: str, entity: str, today: date) -> str:
    """For a person: at which hop the waiting positions were seen last, and which runbook is about it."""
    told = []
    for state, meaning in (
        ("open", "in objects that the check hop opened and has not committed (runbook check-failing)"),
        ("overlap", "in objects that overlap others (runbook objects-overlap)"),
        ("gone", "in objects that vanished from Bronze (runbook objects-gone)"),
    ):
        if found := trail.waiting.get(state):
            told.append(f"{len(found)} {meaning}")
    unheard = trail.waiting.get(UNHEARD, ())
    landed = [at for at in unheard if is_landed(store, bronze, entity, today, at)]
    if landed:
        told.append(f"{len(landed)} in Bronze, where the check hop has not begun (runbook check-queue-late)")
    if missing := len(unheard) - len(landed):
        told.append(f"{missing} acknowledged by Kafka and not in Bronze yet (runbook landing-behind)")
    return ", ".join(told)


def is_landed(store: ObjectStore, bronze: str, entity: str, today: date, position: Position) -> bool:
    """Whether a Bronze object holds the position: a listing of one partition on two days, and one HEAD."""
    for day in (today, today - timedelta(days=1)):
        prefix = bronze_log_prefix(entity, day, position.log, position.partition)
        before = [
            stored.key
            for stored in store.keys(bronze, prefix)
            if BronzeKey.parse(stored.key).first_offset <= position.offset
        ]
        head = store.head(bronze, before[-1]) if before else None
        if head is not None:
            return BronzeMetadata.from_s3(head.metadata).end_offset > position.offset
    return False
