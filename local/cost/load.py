"""What a rate of events makes of the pipeline in a month: bytes, objects, calls. The assumptions stand here, named."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lakehouse.catalog import load_entities
from lambdas.sweep_bronze.sweep import DAYS_OF_NEW_LOGS
from stacks.settings import Settings

HOURS = 730  # of a month, as AWS counts
DAYS = HOURS / 24
SECONDS_OF_DAY = 86_400
GB = 1e9
_MIB = 1024**2

EVENT_BYTES = 300  # of a record in Kafka
# What a row takes as Parquet with snappy, with its envelope.
LAYER_BYTES: Mapping[str, int] = {"bronze": 120, "silver": 90, "quarantine": 10, "gold": 40}
SMALLEST_COLD = 128 * 1024  # bytes; S3's lifecycle leaves smaller objects where they are
KEPT_DAYS = 365  # the bill is that of the twelfth month: nothing in the lake expires
CHECK_SECONDS = 0.6  # per object: read, judge, write twice, commit
CHECK_SECONDS_PER_MILLION = 3.0  # on the one processor that 1,769 MiB buy
LOG_BYTES_PER_OBJECT = 2_500
STATEMENTS_PER_BUILD = 30  # of one dbt build on Athena
BUILDS_PER_DAY = 288  # one every five minutes, where there is something new
STATEMENT_BYTES = 10e6  # the least that Athena counts
ANALYST_QUERIES_PER_DAY = 50
ANALYST_BYTES = 1e9
# Events a second that one virtual processor takes as single calls, with a third of it left free.
EVENTS_PER_PROCESSOR = {"python": 600, "cpp": 8_000}
WRITER_EVENTS_PER_PROCESSOR = 20_000
CANARY_RUNS_PER_DAY = 96  # one every quarter of an hour, whatever else happens
CANARY_SECONDS = 20  # of a run, beside the wait for an object that is old enough to land
SWEEPS_PER_DAY = 96
LIST_SECONDS = 0.15  # of one page of a listing
_PAGE = 1_000  # keys that S3 lists at once
RATES = (0, 1, 50, 2_000)


@dataclass(frozen=True)
class Load:
    """`rate`: events a second, evenly over day, topics and partitions."""

    rate: float
    settings: Settings

    @property
    def events_per_day(self) -> float:
        """Events of a day."""
        return self.rate * SECONDS_OF_DAY

    @property
    def wire_gb(self) -> float:
        """GB of records a month."""
        return self.events_per_day * DAYS * EVENT_BYTES / GB

    @property
    def objects_per_day(self) -> float:
        """Bronze objects of a day. One is begun by a record and ended by its size or its age.

        Without other events those of the canary: it sends 100 orders, some to each partition.
        """
        if not self.rate:
            return CANARY_RUNS_PER_DAY * self.settings.streaming.partitions
        lanes = len(stream_entities()) * self.settings.streaming.partitions
        of_lane = self.rate / lanes
        by_age = 1 / of_lane + self.settings.land.flush_seconds
        by_size = self.settings.land.flush_mib * _MIB / (of_lane * EVENT_BYTES)
        return lanes * SECONDS_OF_DAY / min(by_age, by_size)

    @property
    def objects(self) -> float:
        """Bronze objects of a month."""
        return self.objects_per_day * DAYS

    def stored_gb(self, layer: str) -> float:
        """GB that a layer holds after `KEPT_DAYS`."""
        return self.events_per_day * KEPT_DAYS * LAYER_BYTES.get(layer, 0) / GB

    def cold_gb(self, layer: str) -> float:
        """How much of that has moved to the cold class: what is old enough, in objects that are not too small."""
        if not self._gets_cold(layer):
            return 0
        return self.stored_gb(layer) * max(0, KEPT_DAYS - self.settings.storage.cold_after_days) / KEPT_DAYS

    def moved_objects(self, layer: str) -> float:
        """Objects of a layer that move there in a month."""
        return self.objects if self._gets_cold(layer) else 0

    def _gets_cold(self, layer: str) -> bool:
        if layer not in ("bronze", "quarantine") or not self.rate:
            return False
        return self.events_per_day * LAYER_BYTES[layer] / self.objects_per_day >= SMALLEST_COLD

    @property
    def check_seconds(self) -> float:
        """Seconds that checks take in a month."""
        rows = self.events_per_day * DAYS
        return self.objects * CHECK_SECONDS + rows / 1e6 * CHECK_SECONDS_PER_MILLION

    @property
    def canary_seconds(self) -> float:
        """Seconds that the canary runs in a month: it waits until its events are checked."""
        return CANARY_RUNS_PER_DAY * DAYS * (self.settings.land.flush_seconds + CANARY_SECONDS)

    @property
    def sweeps(self) -> float:
        """Sweeps of a month."""
        return SWEEPS_PER_DAY * DAYS

    @property
    def pages_per_sweep(self) -> float:
        """Pages that a sweep lists: of each entity its manifests, and the objects of the days it looks at."""
        entities = len(load_entities())
        return 2 * entities + self.objects_per_day * DAYS_OF_NEW_LOGS / _PAGE

    @property
    def sweep_seconds(self) -> float:
        """Seconds that sweeps run in a month."""
        return self.sweeps * (2 + self.pages_per_sweep * LIST_SECONDS)

    def queries_per_day(self, orchestrated: bool) -> float:
        """Athena's statements of a day: Gold's, where Airflow builds it, and the analysts'."""
        builds = BUILDS_PER_DAY if orchestrated and self.rate else 0
        return builds * STATEMENTS_PER_BUILD + (ANALYST_QUERIES_PER_DAY if self.rate else 0)

    def scanned_tb(self, orchestrated: bool) -> float:
        """TB that they read in a month."""
        builds = BUILDS_PER_DAY * STATEMENTS_PER_BUILD * STATEMENT_BYTES if orchestrated else 0
        return (builds + ANALYST_QUERIES_PER_DAY * ANALYST_BYTES) * DAYS / 1e12 if self.rate else 0

    def ingest_hosts(self) -> int:
        """Hosts in service."""
        ingest = self.settings.ingest
        takes = EVENTS_PER_PROCESSOR[ingest.implementation] * processors(ingest.instance)
        return _between(math.ceil(self.rate / takes), ingest.least_hosts, ingest.most_hosts)

    def writer_hosts(self) -> int:
        """Hosts of the writer, or workers of the connector."""
        land = self.settings.land
        takes = WRITER_EVENTS_PER_PROCESSOR * processors(land.instance)
        return _between(math.ceil(self.rate / takes), land.least, land.most)


def stream_entities() -> list[str]:
    """Entities that arrive as events."""
    return [name for name, entity in load_entities().items() if entity.delivery == "stream"]


def processors(instance: str) -> int:
    """Virtual processors of a Graviton instance, by its size."""
    return {"xlarge": 4, "2xlarge": 8, "4xlarge": 16}.get(instance.rpartition(".")[2], 2)


def _between(number: int, least: int, most: int) -> int:
    return max(least, min(number, most))
