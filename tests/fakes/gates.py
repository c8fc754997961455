"""Stops an attempt of the check hop before one of its steps, in memory or in a process of its own."""

import signal
import threading
from collections.abc import Callable
from typing import Any

from adapters.ledger import Ledger
from lakehouse.paths import Buckets

STEPS = ("open", "get", "put quarantine", "put silver", "commit", "end")
Before = Callable[[str], None]

# Longer than any step of a loaded machine; reaching it fails the test instead of hiding what hangs.
_PATIENCE_S = 60


class Gate:
    """Call it before each step: it waits there before the chosen one until it is opened."""

    def __init__(self, stop_before: str) -> None:
        self._stop_before = stop_before
        self._reached, self._open = threading.Event(), threading.Event()

    def __call__(self, step: str) -> None:
        if step == self._stop_before:
            self._reached.set()
            assert self._open.wait(_PATIENCE_S), f"nobody let the attempt go on before {step}"

    def wait(self) -> None:
        """Until the attempt stands at the gate."""
        assert self._reached.wait(_PATIENCE_S), f"the attempt never came to {self._stop_before}"

    def open(self) -> None:
        """Lets the attempt go on."""
        self._open.set()


class GatedStore:
    """A store of any kind whose reads and writes of whole objects pass a gate; keeps what was written."""

    def __init__(self, store: Any, buckets: Buckets, before: Before) -> None:
        self._store, self._before = store, before
        self._layers = {buckets.silver: "silver", buckets.quarantine: "quarantine"}
        self.written: list[tuple[str, str, bytes]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        self._before("get")
        data: bytes = self._store.get(bucket, key, etag)
        return data

    def put(self, bucket: str, key: str, body: bytes) -> Any:
        self._before(f"put {self._layers[bucket]}")
        self.written.append((bucket, key, body))
        return self._store.put(bucket, key, body)


class GatedLedger:
    """A ledger whose open and commit pass a gate; `end` is behind the commit. Keeps what was opened."""

    def __init__(self, ledger: Ledger, before: Before) -> None:
        self._ledger, self._before = ledger, before
        self.opened: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def open_objects(self, *arguments: Any) -> Any:
        self._before("open")
        found = self._ledger.open_objects(*arguments)
        self.opened += found
        return found

    def commit_all(self, *arguments: Any) -> Any:
        self._before("commit")
        verdicts = self._ledger.commit_all(*arguments)
        self._before("end")
        return verdicts

    def commit(self, *arguments: Any) -> Any:
        self._before("commit")
        verdict = self._ledger.commit(*arguments)
        self._before("end")
        return verdict


def pause_before(stop_before: str) -> Before:
    """For a process that a test kills: it says that it has come to the step, and stands still there."""

    def before(step: str) -> None:
        if step == stop_before:
            print(step, flush=True)
            signal.pause()

    return before
