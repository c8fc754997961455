"""A shop that sends orders until told to stop, and what must be true of its events."""

import threading
from collections import Counter

from grpc_ingest.client import Batching, EventResult, IngestClient
from grpc_ingest.producer import PlainProducer
from lakehouse.errors import BrokerError
from tests.builders.events import MOMENT, an_order
from tests.flow.ingest_processes import (
    WAIT_S,
    BrokerProcess,
    event_id_in,
    read_broker,
)

SMALL = Batching(size=20, buffer=400)


class Shop:
    """Sends orders until told to stop, and keeps what came back."""

    def __init__(self, client: IngestClient | PlainProducer, results: list[EventResult]) -> None:
        self.client, self.results = client, results
        self.sent: list[str] = []
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def open(self) -> "Shop":
        self._thread.start()
        return self

    def send(self, number: int) -> None:
        self.sent.append(self.client.send("orders", an_order(order_id=f"o-{number}"), MOMENT + number))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert self.failure is None

    def _run(self) -> None:
        try:
            number = 0
            while not self._stop.is_set():
                self.send(number)
                number += 1
        except BrokerError as error:
            self.failure = error


def require_truth(broker: BrokerProcess, shop: Shop, resent: bool) -> None:
    """Every event is settled once and stored; every acknowledged position holds that very event."""
    assert Counter(r.event_id for r in shop.results) == Counter(shop.sent)
    refused = [r for r in shop.results if r.position is None]
    assert refused == []
    stored = read_broker(broker.address, ["orders.v1"])
    for result in shop.results:
        assert result.position is not None
        assert event_id_in("orders.v1", stored[result.position][1]) == result.event_id
    ids = [event_id_in("orders.v1", value) for _key, value in stored.values()]
    assert set(ids) == set(shop.sent), "an event that is sent again keeps its id"
    if not resent:
        assert len(ids) == len(shop.sent)
