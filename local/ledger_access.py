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
        if (lake.bucket(lake.buckets.bronze)).is_dir():
            raise InputError(
                f"The lake in {lake.root} has lost its ledger. Make it anew from the lake: `nexus ledger rebuild`."
            )
        raise InputError(f"The lake in {lake.root} has no ledger yet. Start it with `nexus up`.")
    with _locked(lake, "reading the ledger"), _own_postgres(lake) as ledger:
        ledger.migrate()
        yield ledger


@contextmanager
def open_idle_ledger(lake: Lake, url: str = "") -> Iterator[Ledger]:
    """The ledger at `url`, or the lake's own, made when there is none; nothing of the lake may run meanwhile."""
    if not lake.objects.is_dir():
        raise InputError(f"There is no lake in {lake.root}: give the folder of one with --lake.")
    (lake.run / "logs").mkdir(parents=True, exist_ok=True)
    with _locked(lake, "rebuilding the ledger"):
        if url:
            with Ledger.connect(url).connection as connection:
                yield Ledger(connection)
        else:
            with _own_postgres(lake) as ledger:
                yield ledger


def _locked(lake: Lake, command: str) -> LakeLock:
    return LakeLock.take(lake.root, command, datetime.now(UTC).isoformat(timespec="seconds"))


@contextmanager
def _own_postgres(lake: Lake) -> Iterator[Ledger]:
    server = start_postgres(lake.root / "pg", lake.run / "logs")
    try:
        with Ledger.connect(server.url).connection as connection:
            yield Ledger(connection)
    finally:
        stop_postgres(server.child)
