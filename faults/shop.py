"""A shop that never stops sending. Its client resends what was not acknowledged; what it was told is kept."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from faults.auditor import Acknowledged
from faults.evidence import Place
from faults.waiting import NotSettled, wait_while_moving
from faults.workload import Event, Workload
from grpc_ingest.client import Batching, EventResult, IngestClient

# Events a second: enough that every fault hits something on its way, few enough for two cores.
RATE = 150
# What a client holds back of, and for how long: longer than any fault, so that nothing is given up.
_BATCHING = Batching(size=20, buffer=5000, give_up_after_s=900)


class Shop:
    """Sends the workload's events at RATE until told to stop. `acknowledged` is filled by the client's thread."""

    def __init__(self, address: str, workload: Workload) -> None:
        self.workload = workload
        self.sent: list[Event] = []
        self.acknowledged: list[Acknowledged] = []
        self.refused: list[EventResult] = []
        self._client = self._connect(address)
        self._stop, self._open, self._sending = threading.Event(), threading.Event(), threading.Lock()
        self._open.set()
        self._thread = threading.Thread(target=self._run, name="shop", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops sending, waits until every event is settled."""
        self._stop.set()
        self._thread.join()
        self._wait_settled(self._client)
        self._client.close(timeout=0)

    def abandon(self) -> None:
        """Ends it as it is. Idempotent, also after `close`."""
        self._stop.set()
        self._thread.join()
        self._client.close(timeout=0)

    def pause(self) -> None:
        """Sends nothing more, and waits until every event is settled."""
        self._open.clear()
        with self._sending:  # not only the next one: also the one in hand
            pass
        self._wait_settled(self._client)

    def resume(self) -> None:
        """Ends `pause`."""
        self._open.set()

    def send(self, event: Event) -> None:
        """One event, at once."""
        self._send(self._client, event)

    def send_by(self, address: str, events: Sequence[Event]) -> None:
        """Events through another host, at once; returns when all are settled."""
        client = self._connect(address)
        try:
            for event in events:
                self._send(client, event)
            self._wait_settled(client)
        finally:
            client.close(timeout=0)

    def told(self) -> int:
        """How many events were settled so far."""
        return len(self.acknowledged) + len(self.refused)

    def move(self, first: int, log: str, to: str) -> None:
        """What was acknowledged from `first` on as of one log is landed as of another: the topics were made anew."""
        for number in range(first, len(self.acknowledged)):
            told = self.acknowledged[number]
            if told.place.log == log:
                self.acknowledged[number] = replace(told, place=told.place._replace(log=to))

    def _connect(self, address: str) -> IngestClient:
        return IngestClient.connect(address, "faults", batching=_BATCHING, on_results=self._note)

    def _send(self, client: IngestClient, event: Event) -> None:
        self.sent.append(event)
        client.send(event.entity, event.columns, event.occurred_at, op=event.op, event_id=event.event_id)

    def _wait_settled(self, client: IngestClient) -> None:
        def settled() -> bool:
            return client.flush(0.5)

        wait_while_moving("every event to be acknowledged or refused", settled, self.told)
        if client.counts.pending:
            raise NotSettled(f"{client.counts.pending} events were neither acknowledged nor refused")

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            if not self._open.wait(0.2):
                continue
            with self._sending:
                if self._open.is_set():
                    self.send(self.workload.next())
            due = max(due + 1 / RATE, time.monotonic() - 1)  # after a pause not all of it at once
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _note(self, results: Sequence[EventResult]) -> None:
        for result in results:
            if result.position is None:
                self.refused.append(result)
            else:
                position = result.position
                place = Place(position.log, position.topic, position.partition, position.offset)
                self.acknowledged.append(Acknowledged(result.event_id, place))
