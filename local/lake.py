"""The lake folder: where each part of it lies. Objects are plain files, readable while nothing runs."""

from dataclasses import dataclass
from pathlib import Path

from lakehouse.paths import Buckets

# DuckDB over objects of the lake, given as a parameter (a list of `gold.file_pattern`): folders such as day=21 are
# no columns, and columns of newer contract versions may be absent from older objects.
OBJECT_ROWS = "read_parquet(?, union_by_name = true, hive_partitioning = false)"


@dataclass(frozen=True)
class Lake:
    """One lake on this machine."""

    root: Path
    buckets: Buckets

    @property
    def objects(self) -> Path:
        """One folder per bucket."""
        return self.root / "lake"

    @property
    def run(self) -> Path:
        """State of running processes, their logs, acknowledgement marks."""
        return self.root / "run"

    @property
    def marks(self) -> Path:
        """Acknowledged ends, written by every producing process before it acknowledges."""
        return self.run / "marks"

    @property
    def report(self) -> Path:
        """The page that `nexus demo` and `nexus report` write."""
        return self.root / "report.html"

    @property
    def last_feed(self) -> Path:
        """What the newest demo sent and what was acknowledged."""
        return self.root / "last_feed.json"

    def bucket(self, name: str) -> Path:
        """Folder of a bucket."""
        return self.objects / name

    def file(self, bucket: str, key: str) -> Path:
        """File of an object."""
        return self.bucket(bucket) / key

    def bronze(self, entity: str) -> list[Path]:
        """Bronze data files of an entity, in key order."""
        return sorted(self.bucket(self.buckets.bronze).glob(f"{entity}/year=*/month=*/day=*/*.parquet"))
