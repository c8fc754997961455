"""The assigned partitions, each with what it holds, what is being landed, and how far it is committed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from bronze_writer.consumer import Place
from bronze_writer.lake import PatientStore
from bronze_writer.landing import Landing, land
from bronze_writer.partition_writer import PartitionWriter

# Encoding holds a core, writing waits for S3: four at a time keep two cores and one S3 busy.
LANDING_THREADS = 4


@dataclass
class Lane:
    """One assigned partition.

    `landed` is what is safe, `committed` the end last confirmed by Kafka. `broker_clock`: whether brokers gave the
    times of all records read here (before the first: of what was committed before). `seen_end` is the last
    end-of-partition, `stop_at` the end to reach while draining.
    """

    place: Place
    writer: PartitionWriter
    landed: Landing | None = None
    committed: int = -1
    broker_clock: bool = False
    read_any: bool = False
    paused: bool = False
    landing: Future[Landing] | None = None
    seen_end: int = -1
    stop_at: int | None = None

    def note_clock(self, by_broker: bool) -> None:
        """Takes in whose clock gave a record's time."""
        self.broker_clock = by_broker and (self.broker_clock or not self.read_any)
        self.read_any = True

    @property
    def reached(self) -> bool:
        """Whether everything before `stop_at` was read; markers at the very end are never handed out as records."""
        if self.stop_at is None:
            return False
        return max(self.writer.next_offset, self.seen_end) >= self.stop_at

    @property
    def finished(self) -> bool:
        """Whether all of it is landed too."""
        return self.reached and self.writer.idle and self.landing is None


@dataclass
class Totals:
    """What this process wrote: objects, rows."""

    objects: int = 0
    rows: int = 0


class Lanes(Mapping[Place, Lane]):
    """All assigned partitions. One thread owns it; landings run in threads of their own."""

    def __init__(self, store: PatientStore) -> None:
        self.totals = Totals()
        self._store = store
        self._lanes: dict[Place, Lane] = {}
        self._threads = ThreadPoolExecutor(LANDING_THREADS, thread_name_prefix="landing")

    def __getitem__(self, place: Place) -> Lane:
        return self._lanes[place]

    def __iter__(self) -> Iterator[Place]:
        return iter(self._lanes)

    def __len__(self) -> int:
        return len(self._lanes)

    def open(self, lanes: Mapping[Place, Lane]) -> None:
        """Takes over partitions."""
        self._lanes |= lanes

    def uncommitted(self) -> list[Lane]:
        """Partitions of which more is safe than Kafka has confirmed."""
        return [lane for lane in self._lanes.values() if lane.landed and lane.committed != lane.landed.end]

    def drop(self, places: Sequence[Place]) -> None:
        """Forgets partitions and what they hold. A landing that still runs is a zombie's: it can do no harm."""
        for place in places:
            self._lanes.pop(place, None)

    def due(self, now: float) -> list[Lane]:
        """Partitions whose rows should become an object; while draining also those that have reached their end."""
        return [
            lane
            for lane in self._lanes.values()
            if lane.landing is None and not lane.writer.idle and (lane.writer.due(now) or lane.reached)
        ]

    def land(self, lanes: Iterable[Lane]) -> None:
        """Starts landing what these hold, all together."""
        for lane in lanes:
            writer = lane.writer
            sealed, seen_end = writer.seal(), writer.landed_end
            lane.landing = self._threads.submit(land, self._store, writer.place, sealed, seen_end)

    def settle(self) -> None:
        """Takes in what was landed meanwhile; raises what a landing raised."""
        for lane in self._lanes.values():
            if lane.landing is None or not lane.landing.done():
                continue
            landing, lane.landing = lane.landing.result(), None
            lane.writer.settle(landing)
            lane.landed = landing
            self.totals.objects += landing.objects
            self.totals.rows += landing.rows

    def wait(self, places: Sequence[Place], seconds: float) -> None:
        """Waits for these partitions' landings, but not longer."""
        running = [lane.landing for lane in map(self._lanes.get, places) if lane and lane.landing]
        wait(running, seconds, FIRST_EXCEPTION)

    def hold_back(self, pause: Callable[[Place], None], resume: Callable[[Place], None]) -> None:
        """Stops reading partitions that hold an object's worth while another is being landed, or reached their end."""
        for place, lane in self._lanes.items():
            wanted = lane.reached or (lane.landing is not None and lane.writer.full)
            if wanted != lane.paused:
                (pause if wanted else resume)(place)
                lane.paused = wanted

    def close(self) -> None:
        """Waits for running landings; those not begun are dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)
