"""A replay process for tests that kill it: replays the orders of a lake, and stands still before the step it was given.

python -m tests.flow.requeue_process BUCKET_PREFIX ENDPOINT LEDGER_URL EDITS STEP
"""

import sys
from datetime import UTC, datetime
from typing import Any

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.paths import Buckets
from lambdas.requeue_quarantine.request import Request
from lambdas.requeue_quarantine.requeue import Requeue
from tests.fakes.gates import GatedLedger, GatedStore, pause_before


class _Ledger(GatedLedger):
    """Its second transaction is the one that opens the replay; the first reads what is held."""

    reads = 0

    def read(self, work: Any) -> Any:
        self.reads += 1
        self._before({1: "list", 2: "open"}[self.reads])
        return self._ledger.read(work)


def main(prefix: str, endpoint: str, ledger_url: str, edits: str, stop_before: str) -> None:
    before, buckets = pause_before(stop_before), Buckets.of(prefix)
    store = GatedStore(ObjectStore.connect(endpoint, "us-east-1"), buckets, before)
    ledger: Any = _Ledger(Ledger.connect(ledger_url), before)
    requeue = Requeue(store, ledger, buckets, load_entities(), lambda: datetime.now(UTC))
    requeue.run(Request("orders", "replay", edits=edits))


if __name__ == "__main__":
    main(*sys.argv[1:])
