"""A bound on what Kafka holds for the writer: bytes delivered or under way, less what the writer has committed.

For a broker that drops old records by size (the embedded one keeps 5 MB per partition, silently). Each producing
process has a share of its own; together they stay below what the broker keeps.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from grpc_ingest.broker import WRITER_GROUP
from lakehouse.errors import BrokerError

HOST_SHARE = 2_500_000
PLAIN_SHARE = 1_000_000
# A record batch has 61 bytes of its own, a record up to 12 around key and value: the worst is one record a batch.
RECORD_OVERHEAD = 80
# Delivered bytes are kept in heaps of about this size with one end offset each; a heap counts until all of it is
# committed, so the bound is kept a little early.
_HEAP_BYTES = 65_536
# While somebody waits for room, how often the writer's progress is asked for: it commits every few seconds.
POLL_S = 0.1
_TIMEOUT_S = 5.0

_log = logging.getLogger(__name__)

Place = tuple[str, int]


def record_size(key: bytes | None, value: bytes) -> int:
    """Bytes that a record takes in the broker, at most."""
    return len(value) + (len(key) if key else 0) + RECORD_OVERHEAD


class _Partition:
    """Delivered heaps, oldest first: [end offset, bytes]."""

    __slots__ = ("heaps", "size")

    def __init__(self) -> None:
        self.heaps: deque[list[int]] = deque()
        self.size = 0

    def add(self, end: int, size: int) -> None:
        if self.heaps and self.heaps[-1][1] + size <= _HEAP_BYTES:
            newest = self.heaps[-1]
            newest[0], newest[1] = max(newest[0], end), newest[1] + size
        else:
            self.heaps.append([end, size])
        self.size += size

    def commit(self, offset: int) -> None:
        while self.heaps and self.heaps[0][0] <= offset:
            self.size -= self.heaps.popleft()[1]


class Backlog:
    """Counts bytes per partition. Safe for threads; never blocks."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._partitions: dict[str, dict[int, _Partition]] = {}
        self._under_way: dict[str, int] = {}

    def admit(self, sizes: Mapping[str, int]) -> bool:
        """Reserves bytes per topic, all or none.

        The partition is not known yet, so everything under way counts against the fullest. A topic with nothing in
        it takes any size, so that no event waits for ever.
        """
        with self._lock:
            for topic, size in sizes.items():
                used = self._under_way.get(topic, 0) + self._fullest(topic)
                if used and used + size > self.limit:
                    return False
            for topic, size in sizes.items():
                self._under_way[topic] = self._under_way.get(topic, 0) + size
            return True

    def deliver(self, topic: str, partition: int, end: int, size: int) -> None:
        """Reserved bytes stand in this partition before offset `end`."""
        with self._lock:
            self._under_way[topic] -= size
            self._partition(topic, partition).add(end, size)

    def release(self, topic: str, size: int) -> None:
        """Reserved bytes did not get there."""
        with self._lock:
            self._under_way[topic] -= size

    def fill(self, topic: str, partition: int, end: int) -> None:
        """The partition counts as full until the writer has committed up to `end`: nobody knows what is in it."""
        with self._lock:
            self._partition(topic, partition).add(end, self.limit)

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """The writer has landed everything before these offsets."""
        with self._lock:
            for (topic, partition), offset in offsets.items():
                self._partition(topic, partition).commit(offset)

    def uncommitted(self) -> list[Place]:
        """Partitions that hold something."""
        with self._lock:
            return [(t, n) for t, found in self._partitions.items() for n, p in found.items() if p.size]

    def _fullest(self, topic: str) -> int:
        found = self._partitions.get(topic)
        return max(p.size for p in found.values()) if found else 0

    def _partition(self, topic: str, partition: int) -> _Partition:
        return self._partitions.setdefault(topic, {}).setdefault(partition, _Partition())


class CommittedOffsets:
    """Keeps a backlog up to date with the writer's group, from a thread of its own, without joining the group."""

    def __init__(self, backlog: Backlog, bootstrap: str, on_progress: Callable[[], None]) -> None:
        """`on_progress` is called from the thread after each look."""
        self._backlog, self._on_progress = backlog, on_progress
        # Its log is off: the lines would pile up unread, as this consumer is never polled. The producer tells the same.
        properties = {"bootstrap.servers": bootstrap, "group.id": WRITER_GROUP, "log_level": 0}
        self._consumer = Consumer({**properties, "enable.auto.commit": False})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="committed-offsets", daemon=True)

    def start(self, topics: Iterable[str]) -> None:
        """Counts what already stands in these topics, then watches. BrokerError when Kafka does not answer.

        What an earlier process left there has an unknown size: such a partition is full until it has been landed.
        """
        try:
            places = self._partitions(topics)
            committed = self._ask(places)
            for topic, partition in places:
                place = TopicPartition(topic, partition)
                _low, end = self._consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S, cached=False)
                if end > committed.get((topic, partition), 0):
                    self._backlog.fill(topic, partition, end)
        except KafkaException as error:
            raise BrokerError(f"Kafka does not say what its topics hold ({error}): is it up?") from error
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            places = self._backlog.uncommitted()
            if not places:
                continue
            try:
                self._backlog.commit(self._ask(places))
            except KafkaException as error:
                _log.warning("cannot read what the writer has landed: %s", error)
                continue
            self._on_progress()

    def _ask(self, places: Iterable[Place]) -> dict[Place, int]:
        asked = [TopicPartition(topic, partition) for topic, partition in places]
        found: Any = self._consumer.committed(asked, timeout=_TIMEOUT_S) if asked else ()
        return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0 and not p.error}

    def _partitions(self, topics: Iterable[str]) -> list[Place]:
        known = self._consumer.list_topics(timeout=_TIMEOUT_S).topics
        return [(t, number) for t in topics if t in known for number in sorted(known[t].partitions)]
