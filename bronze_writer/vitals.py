"""What a writer says of itself: whether its loop turns, whether it has its share of the partitions, what it wrote."""

from collections.abc import Mapping
from typing import Protocol

from adapters.vitals import Vitals

# An assignment may list all days of a lake; Kafka takes the partitions away from a writer that is silent for longer.
_STUCK_S = 1_800.0


class Landing(Protocol):
    """The part of `bronze_writer.stream.Stream` that is told."""

    @property
    def assigned(self) -> bool:
        """Whether it has its share of the partitions."""

    @property
    def silent_s(self) -> float:
        """Seconds since its loop turned."""

    @property
    def figures(self) -> Mapping[str, int]:
        """Rows and objects written, lag in records, partitions."""


def writer_vitals(stream: Landing) -> Vitals:
    """Ready means: Kafka has let it in, and the newest objects of its partitions were found in S3."""

    def alive() -> str:
        silent = stream.silent_s
        return f"the loop stands still for {silent:.0f} s" if silent > _STUCK_S else ""

    def counts() -> dict[str, float]:
        figures = stream.figures
        return {
            "nexus_landed_rows_total": figures.get("rows", 0),
            "nexus_landed_objects_total": figures.get("objects", 0),
            "nexus_landing_lag_records": figures.get("lag", 0),
            "nexus_assigned_partitions": figures.get("partitions", 0),
        }

    return Vitals(alive, lambda: "" if stream.assigned else "no partitions are assigned yet", counts)
