"""A check process for tests that kill it: checks one object, and stands still before the step it was given.

python -m tests.flow.check_process BUCKET_PREFIX ENDPOINT LEDGER_URL KEY STEP
"""

import sys
from datetime import UTC, datetime
from typing import Any

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.paths import Buckets
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from tests.builders.messages import an_announcement
from tests.fakes.gates import GatedLedger, GatedStore, pause_before


def main(prefix: str, endpoint: str, ledger_url: str, key: str, stop_before: str) -> None:
    before, buckets = pause_before(stop_before), Buckets.of(prefix)
    store = GatedStore(ObjectStore.connect(endpoint, "us-east-1"), buckets, before)
    ledger: Any = GatedLedger(Ledger.connect(ledger_url), before)
    check = ObjectCheck(store, ledger, buckets, load_entities(), lambda: datetime.now(UTC))
    check_message(check, an_announcement(key, buckets.bronze))


if __name__ == "__main__":
    main(*sys.argv[1:])
