"""Makes the ledger anew from the lake alone, equal to the lost one in objects, positions, counts, sums and revisions.

Not in the lake, and so not in the new ledger: how often an attempt was made, when exactly an object was opened and
committed (the time of its last file stands for it), why an object was refused or found gone, and what a broker still
holds beyond the last landed object of a log that is not closed.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from adapters.ledger import Ledger, reports, restore
from lakehouse.paths import is_load
from local.closing import recall_closed_logs
from local.lake_account import LakeAccounts, LakeObject, PartitionAccount

# Objects in one transaction: enough that its commit costs nothing beside them, few enough to show progress.
_BATCH = 200


@dataclass
class RebuildReport:
    """What was written. `states` counts objects; `remarks` are what a person should know, worst first."""

    states: Mapping[str, int] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    rows: int = 0
    open_logs: tuple[str, ...] = ()
    closed_logs: int = 0
    resumed: bool = False
    remarks: list[str] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """All objects."""
        return sum(self.states.values())


def rebuild_ledger(
    lake: LakeAccounts,
    ledger: Ledger,
    now: Callable[[], datetime],
    otherwise: str,
    progress: Callable[[int, int], None] = lambda _done, _known: None,
) -> RebuildReport:
    """Fills an empty ledger. Run again after it was broken off, it goes on; LedgerError when the ledger is in use.

    Args:
        otherwise: how a person gives an empty database in place of one that is in use.
        progress: told the objects written and those known so far; the second grows with each entity.
    """
    ledger.migrate()
    report = RebuildReport(resumed=restore.begin_rebuild(ledger, now(), otherwise))
    published, done, known = lake.published_silver(), 0, 0
    for entity in lake.entities:
        partitions = list(lake.partitions(entity, published))
        known += sum(len(partition.objects) for partition in partitions)
        progress(done, known)
        for partition in partitions:
            report.remarks += _remarks(partition)
            for first in range(0, len(partition.objects), _BATCH):
                batch = partition.objects[first : first + _BATCH]
                restore.restore_objects(ledger, [o.account for o in batch], _gone(batch))
                done += len(batch)
                progress(done, known)
    report.closed_logs = len(recall_closed_logs(ledger, lake.store, lake.buckets.bronze, lake.entities))
    restore.finish_rebuild(ledger, now())
    _count(report, ledger)
    return report


def _gone(objects: tuple[LakeObject, ...]) -> set[str]:
    return {o.account.key for o in objects if o.bronze is None}


def _remarks(partition: PartitionAccount) -> list[str]:
    told = [f"{key} is not taken: {why}" for key, why in partition.strangers.items()]
    return told + [problem for o in partition.objects for problem in o.problems]


def _count(report: RebuildReport, ledger: Ledger) -> None:
    report.states = Counter(reports.bronze_keys(ledger).values())
    report.revisions = reports.revision_states(ledger)
    report.rows = sum(balance.bronze.rows for balance in reports.balance(ledger).values())
    report.open_logs = tuple(sorted(log for log in reports.open_logs(ledger) if not is_load(log)))
