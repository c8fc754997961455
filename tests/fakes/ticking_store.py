"""An object store in memory whose listings say when each object was written: a second after the one before."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.objects import Stored
from tests.builders.bronze import NOON
from tests.fakes.object_store import Body, FakeObjectStore


class TickingStore(FakeObjectStore):
    """`now` is the time of the newest write."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self._written: dict[tuple[str, str], datetime] = {}

    def _put(self, bucket: str, key: str, body: Body, metadata: Mapping[str, str]) -> Stored:
        self.now += timedelta(seconds=1)
        self._written[bucket, key] = self.now
        return super()._put(bucket, key, body, metadata)

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        for stored in super().keys(bucket, prefix, start_after):
            yield replace(stored, modified=self._written[bucket, stored.key])
