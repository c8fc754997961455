"""The ledger of a lake, whether or not the lake is running."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from adapters.ledger import Ledger
from lakehouse.errors import InputError
from local.lake import Lake
from local.lake_lock import LakeLock
from local.postgres import start_postgres, stop_postgres
from local.runtime import attach


@contextmanager
def open_ledger(lake: Lake, url: str = "") -> Iterator[Ledger]:
    """The ledger at `url`, or that of the running lake, or the lake's own PostgreSQL started for as long as needed."""
    if not lake.root.exists():
        raise InputError(f"There is no lake in {lake.root}. Make one with `nexus demo` or `nexus up`.")
    running = attach(lake.root)
    url = url or (running.ledger_url if running else "")
    if url:
        with Ledger.connect(url).connection as connection:
            yield Ledger(connection)
        return
    if not (lake.root / "pg").exists():
        raise InputError(f"The lake in {lake.root} has no ledger yet. Start it with `nexus up`.")
    since = datetime.now(UTC).isoformat(timespec="seconds")
    with LakeLock.take(lake.root, "reading the ledger", since):
        server = start_postgres(lake.root / "pg", lake.run / "logs")
        try:
            with Ledger.connect(server.url).connection as connection:
                ledger = Ledger(connection)
                ledger.migrate()
                yield ledger
        finally:
            stop_postgres(server.child)
