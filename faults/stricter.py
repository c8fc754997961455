"""A check runner with one rule more than the deployed one: `python -m faults.stricter`. Slow, for kills to hit it."""

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from lakehouse import catalog
from lakehouse.catalog import Entity, Rule
from lakehouse.compilers.plan import rules_hash

ENTITY = "payments"
LIMIT = 500
# Between Quarantine and Silver of each object: most kills then come between open and commit.
_SLOW_S = 0.1
_RULE = Rule(
    id="payment_value_below_limit",
    kind="between",
    column="payment_value",
    severity="error",
    text=f"The payment value is above {LIMIT}.",
    dimension="accuracy",
    args={"max": str(LIMIT)},
)


def stricter(entities: Mapping[str, Entity]) -> Mapping[str, Entity]:
    """The contracts with the rule."""
    found = entities[ENTITY]
    rules = (*found.rules, _RULE)
    changed = replace(found, rules=rules, rules_hash=rules_hash(found.version, found.fields, rules))
    return {**entities, ENTITY: changed}


def main() -> int:
    """As `python -m local.check_runner`."""
    from adapters.objects import ObjectStore

    deployed, put = catalog.load_entities, ObjectStore.put
    catalog.load_entities = cache(lambda: stricter(deployed()))  # before those that read it are imported

    def put_slowly(store: ObjectStore, bucket: str, *more: Any, **named: Any) -> Any:
        if bucket.endswith("-silver"):
            time.sleep(_SLOW_S)
        return put(store, bucket, *more, **named)

    ObjectStore.put = put_slowly  # type: ignore[method-assign, assignment]
    from local.check_runner import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
