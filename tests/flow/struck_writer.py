"""A writer that sends itself a signal right before or after its N-th object is written, before anything is committed.

python -m tests.flow.struck_writer before|after N SIGNAL
"""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from adapters.objects import ObjectStore, Stored
from bronze_writer.__main__ import run
from bronze_writer.settings import Settings


class StoreThatStrikesItsWriter:
    """The real store, with a signal at one write of rows."""

    def __init__(self, store: ObjectStore, moment: str, writes: int, number: signal.Signals) -> None:
        self._store, self._moment, self._writes, self._number = store, moment, writes, number

    def put_new(self, bucket: str, key: str, body: bytes, metadata: Mapping[str, str]) -> Stored | None:
        self._writes -= key.endswith(".parquet")
        struck = key.endswith(".parquet") and self._writes == 0
        if struck and self._moment == "before":
            os.kill(os.getpid(), self._number)
        stored = self._store.put_new(bucket, key, body, metadata)
        if struck and self._moment == "after":
            os.kill(os.getpid(), self._number)
        return stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


if __name__ == "__main__":
    settings = Settings.from_process()
    drain = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: drain.set())
    real = ObjectStore.connect(settings.lake.aws_endpoint, settings.lake.region)
    which = signal.Signals[f"SIG{sys.argv[3]}"]
    run(settings, drain, StoreThatStrikesItsWriter(real, sys.argv[1], int(sys.argv[2]), which))
