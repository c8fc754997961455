"""What a host says of itself: whether its loop turns, whether Kafka answers it, how many events it took."""

import asyncio
import time
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaException

from adapters.vitals import Vitals
from grpc_ingest.broker import KafkaProducer
from grpc_ingest.server.tally import Tally

_TURN_S = 1.0
# A request of the largest size takes the loop for a second or two; what stands still for longer never comes back.
_STUCK_S = 15.0
_ASK_S = 3.0


class Pulse:
    """Proof that the event loop turns, to be read from another thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turned = clock()
        self.draining = False

    async def beat(self) -> None:
        """Runs on the loop until it is cancelled."""
        while True:
            self._turned = self._clock()
            await asyncio.sleep(_TURN_S)

    def trouble(self) -> str:
        """Why no new connection should come here."""
        if self.draining:
            return "draining"
        silent = self._clock() - self._turned
        return f"the loop stands still for {silent:.0f} s" if silent > _STUCK_S else ""


def host_vitals(pulse: Pulse, producer: KafkaProducer, topics: Iterable[str], tally: Tally) -> Vitals:
    """Alive is the host's own matter; ready also needs Kafka, and every topic in it.

    Kafka being away must not make a balancer send all clients nowhere, nor an auto scaling group replace every host.
    """
    wanted = frozenset(topics)
    return Vitals(pulse.trouble, lambda: _ask_kafka(producer, wanted), tally.metrics)


def _ask_kafka(producer: KafkaProducer, wanted: frozenset[str]) -> str:
    try:
        found = producer.list_topics(timeout=_ASK_S).topics
    except KafkaException as error:
        return f"Kafka does not answer: {error.args[0].str()}"
    missing = wanted.difference(found)
    return f"Kafka does not show the topics {', '.join(sorted(missing))}" if missing else ""
