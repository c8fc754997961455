"""Objects of orders before the check, and what stands where after it."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.ledger import Ledger, reports
from lakehouse.catalog import load_entities
from lakehouse.footer import OutputFooter
from tests.builders.messages import BUCKETS
from tests.builders.rows import (
    bronze_table,
)
from tests.fakes.object_store import FakeObjectStore

ENTITIES = load_entities()


ORDERS = ENTITIES["orders"]


Call = Callable[..., list[str]]


def orders(*rows: dict[str, Any], first: int = 0) -> pa.Table:
    return bronze_table(ORDERS, list(rows), first)


def outputs(store: FakeObjectStore, ledger: Ledger, key: str) -> tuple[bytes, bytes | None]:
    state = reports.object_state(ledger, key)
    assert state is not None
    assert state.state == "committed"
    held = state.quarantine_key
    [silver] = state.silver_keys
    return store.get(BUCKETS.silver, silver), None if held is None else store.get(BUCKETS.quarantine, held)


def footer_of(data: bytes) -> OutputFooter:
    return OutputFooter.from_parquet(pq.read_metadata(pa.BufferReader(data)).metadata)
