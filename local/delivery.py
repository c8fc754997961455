"""Sends a shop's feed through gRPC and the plain Kafka producer, and keeps account of what was acknowledged."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from grpc_ingest.client import IngestClient
from grpc_ingest.producer import PlainProducer, Settings
from grpc_ingest.results import EventResult
from local.drain import end_behind
from local.feed import SOURCE, Feed
from local.run_state import Running

_TELL_EVERY = 500  # events between two looks at the progress bar: a hundred looks a second at full rate


@dataclass
class Receipts:
    """What came back: acknowledged ends by (log, topic, partition), refusals with their reason, events by way."""

    ends: dict[tuple[str, str, int], int] = field(default_factory=dict)
    acknowledged: Counter[str] = field(default_factory=Counter)
    refused: list[EventResult] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, results: Sequence[EventResult]) -> None:
        """Takes results from any thread."""
        with self._lock:
            for result in results:
                if result.position is None:
                    self.refused.append(result)
                    continue
                self.acknowledged[result.entity] += 1
                place, end = end_behind(result.position)
                self.ends[place] = max(end, self.ends.get(place, 0))

    @property
    def settled(self) -> int:
        """Events acknowledged or refused so far."""
        return self.acknowledged.total() + len(self.refused)


def deliver(feed: Feed, running: Running, on_settled: Callable[[int], None]) -> Receipts:
    """Sends every event of the feed to a running lake; returns when each is acknowledged or refused."""
    receipts = Receipts()
    settings = Settings.from_env(running.environment())
    with (
        PlainProducer.connect(settings, SOURCE, on_results=receipts.note) as plain,
        IngestClient.connect(running.grpc_address, SOURCE, on_results=receipts.note) as client,
    ):
        for number, event in enumerate(feed.stream()):
            way, name = (plain, "plain") if event.plain else (client, "grpc")
            way.send(event.entity, event.payload, event.occurred_at, op=event.op, source=event.source)
            receipts.sent[event.entity] += 1
            receipts.ways[name] += 1
            if number % _TELL_EVERY == 0:
                on_settled(receipts.settled)
        while not (client.flush(0.2) and plain.flush(0.2)):
            on_settled(receipts.settled)
    on_settled(receipts.settled)
    return receipts
