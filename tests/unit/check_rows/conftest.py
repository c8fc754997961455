"""A check over a store in memory and a real ledger, called as SQS calls it."""

import pytest

from adapters.ledger import Ledger
from lambdas.check_rows import handler as check_rows
from lambdas.check_rows.object_check import ObjectCheck
from local.check_runner import LocalContext
from tests.builders.bronze import NOON
from tests.builders.checked import ENTITIES, Call
from tests.builders.messages import BUCKETS, a_batch
from tests.fakes.object_store import FakeObjectStore


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def check(store: FakeObjectStore, ledger: Ledger) -> ObjectCheck:
    return ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)


@pytest.fixture
def call(check: ObjectCheck) -> Call:
    """Calls the handler with these bodies; the ids of the messages it gives back."""
    handler = check_rows.build_handler(lambda: check)

    def run(*bodies: str, receives: int = 1) -> list[str]:
        answer = handler(a_batch(*bodies, receives=receives), LocalContext())
        return [item["itemIdentifier"] for item in answer["batchItemFailures"]]

    return run
