"""A writer that is killed (SIGKILL, by itself) right after so many objects are safe, before anything is committed.

python -m tests.flow.dying_writer N
"""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from adapters.objects import Stored
from adapters.objects import ObjectStore
from bronze_writer.__main__ import run
from bronze_writer.settings import Settings


class StoreThatKillsItsWriter:
    """The real store, until the last write."""

    def __init__(self, store: ObjectStore, writes: int) -> None:
        self._store, self._writes = store, writes

    def put_new(self, bucket: str, key: str, body: bytes, metadata: Mapping[str, str]) -> Stored | None:
        stored = self._store.put_new(bucket, key, body, metadata)
        if key.endswith(".parquet"):
            self._writes -= 1
            if self._writes <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


if __name__ == "__main__":
    settings = Settings.from_process()
    store = ObjectStore.connect(settings.lake.aws_endpoint, settings.lake.region)
    run(settings, threading.Event(), StoreThatKillsItsWriter(store, int(sys.argv[1])))
