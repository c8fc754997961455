"""What a rate of events makes of the pipeline in a month: bytes, objects, calls. The assumptions stand here, named."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lakehouse.catalog import load_entities
from stacks.settings import Settings

HOURS = 730  # of a month, as AWS counts
DAYS = HOURS / 24
SECONDS_OF_DAY = 86_400
GB = 1e9
_MIB = 1024**2

EVENT_BYTES = 300  # of a record in Kafka
# What a row takes as Parquet with snappy, with its envelope.
LAYER_BYTES: Mapping[str, int] = {"bronze": 120, "silver": 90, "quarantine": 10, "gold": 40}
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
        """Bronze objects of a day. One is begun by a record and ended by its size or its age."""
        if not self.rate:
            return 0
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
        """How much of that is older than the days after which Bronze and Quarantine are moved."""
        if layer not in ("bronze", "quarantine"):
            return 0
        return self.stored_gb(layer) * max(0, KEPT_DAYS - self.settings.storage.cold_after_days) / KEPT_DAYS

    @property
    def check_seconds(self) -> float:
        """Seconds that checks take in a month."""
        rows = self.events_per_day * DAYS
        return self.objects * CHECK_SECONDS + rows / 1e6 * CHECK_SECONDS_PER_MILLION

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
