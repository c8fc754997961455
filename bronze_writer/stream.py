"""Kafka → Bronze: one consumer for all topics, many partitions, each by the writers' rule.

Offsets are committed only behind what is safe in S3. A store that is away stops reading, not polling, so the
consumer stays in its group.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, TopicPartition

from bronze_writer import consumer as kafka
from bronze_writer.assignment import Resumption, adopt_range
from bronze_writer.commits import Commits
from bronze_writer.lanes import Lane, Lanes, Totals
from bronze_writer.partition_writer import Record
from lakehouse.errors import BrokerError, NexusError

_log = logging.getLogger(__name__)

# So many messages come out of one call; what the consumer fetches ahead bounds their bytes.
_BATCH = 2_000
# How late a flush by age, a finished landing or a signal is noticed. An idle round costs 50 µs.
_POLL_S = 0.05
_HEARTBEAT_S = 10.0
# A partition that is taken away waits so long for its landing, to commit it; others wait for it meanwhile.
_REVOKE_S = 5.0
# After kill -9 of a predecessor its partitions come free after the session timeout (6 s); the rest is room.
_ASSIGNED_S = 30.0
# A drain asks a broker that is away for its ends so long, then lands what it holds. Supervisors wait a minute.
_ENDS_S = 20.0
# The last commits spare the next writer nothing but a look into S3.
_LAST_COMMIT_S = 5.0
# Retrying does not mend these.
_HOPELESS = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})


class Stream:
    """Runs in one thread. `drain` set: land to the ends the brokers have then, commit, return."""

    def __init__(
        self,
        lanes: Lanes,
        commits: Commits,
        resumption: Resumption,
        drain: threading.Event,
        on_ready: Callable[[], None] = lambda: None,
        topic_ids: Callable[[], Mapping[str, str]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes, self._commits, self._resumption = lanes, commits, resumption
        self._drain, self._on_ready, self._topic_ids, self._clock = drain, on_ready, topic_ids, clock
        self._assigned = False
        self._failure: NexusError | None = None
        self._shortfall: BrokerError | None = None
        self._moved = False
        self._absent: set[str] = set()
        self._beat_at = clock() + _HEARTBEAT_S
        self._turned_at = clock()
        self._figures: Mapping[str, int] = {}
        self._draining_since: float | None = None

    def run(self, consumer: Any, topics: Sequence[str]) -> Totals:
        """Lands until drained; what was written. Raises what stops a writer: see `Resumption`, `land`."""
        consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        while not self._drained(consumer):
            self._turn(consumer)
        deadline = self._clock() + _LAST_COMMIT_S
        while not self._commits.settled and self._clock() < deadline:
            self._turn(consumer)
        if self._shortfall:
            raise self._shortfall
        return self._lanes.totals

    @property
    def assigned(self) -> bool:
        """Whether this writer has its share of the partitions. May be asked from any thread, as the next two."""
        return self._assigned

    @property
    def silent_s(self) -> float:
        """Seconds since the loop turned; an assignment may take many."""
        return self._clock() - self._turned_at

    @property
    def figures(self) -> Mapping[str, int]:
        """What the last heartbeat told: rows and objects written, lag in records, partitions."""
        return self._figures

    def _turn(self, consumer: Any) -> None:
        """Reads, lands, commits what there is to read, land and commit."""
        messages = consumer.consume(_BATCH, _POLL_S)
        now = self._turned_at = self._clock()
        for message in messages:
            self._take(consumer, message, now)
        if self._failure:
            raise self._failure
        if self._moved:
            self._read_anew(consumer)
        self._lanes.settle()
        self._land(now)
        self._lanes.hold_back(
            lambda place: consumer.pause([TopicPartition(*place)]),
            lambda place: consumer.resume([TopicPartition(*place)]),
        )
        self._commits.send(consumer)
        if now >= self._beat_at:
            self._beat_at = now + _HEARTBEAT_S
            self._beat(consumer)

    def _land(self, now: float) -> None:
        """Lands what is due, once it is sure that it was read from the topics that this writer began with.

        A topic that was made anew under a running writer shows in nothing else where the new one is already as long.
        """
        due = self._lanes.due(now)
        if not due:
            return
        ids = self._topic_ids()
        for lane in due:
            lane.writer.place.require_topic(ids.get(lane.place[0], ""))
        self._lanes.land(due)

    def _on_assign(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        places = [(p.topic, p.partition) for p in partitions]
        try:
            lanes = self._resumption.resume(consumer, places)
        except NexusError as error:  # a callback of the client library: raised by the loop instead
            self._failure = error
            consumer.unassign()
            return
        self._lanes.open(lanes)
        consumer.assign([TopicPartition(*place, lane.writer.start) for place, lane in lanes.items()])
        self._assigned = True
        self._on_ready()
        _log.info("assigned", extra={"partitions": len(places)})

    def _on_revoke(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        self._lanes.wait([(p.topic, p.partition) for p in partitions], _REVOKE_S)
        try:
            self._lanes.settle()
        except NexusError as error:
            self._failure = error
        self._commits.send_and_wait(consumer)
        self._on_lost(consumer, partitions)

    def _on_lost(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        self._lanes.drop([(p.topic, p.partition) for p in partitions])
        self._assigned = False
        consumer.unassign()
        _log.info("partitions taken away", extra={"partitions": len(partitions)})

    def _take(self, consumer: Any, message: Any, now: float) -> None:
        lane = self._lanes.get((message.topic(), message.partition()))
        error = message.error()
        if error is not None:
            self._hear(consumer, error, message, lane)
        elif lane is not None:
            kind, moment = message.timestamp()
            lane.note_clock(kind == TIMESTAMP_LOG_APPEND_TIME)
            if lane.writer.take(Record.at(message.offset(), moment, message.value()), now):
                _seek(consumer, lane)

    def _hear(self, consumer: Any, error: KafkaError, message: Any, lane: Lane | None) -> None:
        if kafka.is_end(error) and lane is not None:
            lane.seen_end = max(lane.seen_end, message.offset())
        elif kafka.is_out_of_range(error) and lane is not None:
            adopt_range(lane.writer, *kafka.held_ranges(consumer, [lane.place])[lane.place])
            self._moved = True
        elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            if message.topic() not in self._absent:
                _log.warning("topic does not exist (yet)", extra={"topic": message.topic()})
            self._absent.add(message.topic())
        elif error.fatal() or error.code() in _HOPELESS:
            raise BrokerError(f"Kafka refuses this writer: {error.str()}. Mend its rights or settings")
        elif not kafka.is_end(error):
            _log.warning("Kafka has trouble", extra={"problem": error.str()})

    def _read_anew(self, consumer: Any) -> None:
        """Goes on after an offset was out of range: the library has stopped that partition, where no seek moves it."""
        self._moved = False
        starts = [TopicPartition(*place, lane.writer.start) for place, lane in self._lanes.items()]
        consumer.assign(starts)
        consumer.resume(starts)
        for lane in self._lanes.values():
            lane.paused = False

    def _drained(self, consumer: Any) -> bool:
        if not self._drain.is_set():
            return False
        now = self._clock()
        self._draining_since = self._draining_since or now
        if not self._assigned:
            if now - self._draining_since > _ASSIGNED_S:
                raise BrokerError(
                    f"no partitions were assigned within {_ASSIGNED_S:.0f} s: is Kafka up, and do the topics exist? "
                    "What they hold is landed by the next writer"
                )
            return False
        return self._ends_known(consumer, now - self._draining_since) and all(
            lane.finished for lane in self._lanes.values()
        )

    def _ends_known(self, consumer: Any, waited: float) -> bool:
        open_ended = [place for place, lane in self._lanes.items() if lane.stop_at is None]
        if not open_ended:
            return True
        ends = kafka.ends_now(consumer, open_ended)
        if ends is None:
            if waited < _ENDS_S:
                return False
            ends = {place: self._lanes[place].writer.next_offset for place in open_ended}
            self._shortfall = BrokerError(
                "Kafka does not tell where its partitions end: what was read is landed, what it still holds is "
                "landed by the next writer"
            )
        for place, end in ends.items():
            self._lanes[place].stop_at = end
        return True

    def _beat(self, consumer: Any) -> None:
        ends = {place: kafka.known_end(consumer, place) for place in self._lanes}
        lag = sum(
            max(0, end - self._lanes[p].writer.landed_end) for p, end in ends.items() if end is not None
        )
        totals = self._lanes.totals
        self._figures = {"rows": totals.rows, "objects": totals.objects, "lag": lag, "partitions": len(ends)}
        _log.info("heartbeat", extra=dict(self._figures))


def _seek(consumer: Any, lane: Lane) -> None:
    try:
        consumer.seek(TopicPartition(*lane.place, lane.writer.start))
    except KafkaException as error:  # what lies before is read then, and passed over by offset
        _log.warning("cannot seek", extra={"topic": lane.place[0], "problem": str(error)})
