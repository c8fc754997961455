"""Every S3 key and bucket name of the lake: built and parsed here and nowhere else."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from lakehouse.errors import LakeError

ENTITY = r"[a-z][a-z0-9_]{0,62}"
LOG = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DAY = r"year=(?P<year>\d{4})/month=(?P<month>\d{2})/day=(?P<day>\d{2})"
_NAME = rf"(?P<log>{LOG})\+(?P<partition>0|[1-9]\d{{0,9}})\+(?P<offset>\d{{20}})"
_BRONZE = re.compile(rf"(?P<entity>{ENTITY})/{_DAY}/{_NAME}\.parquet", re.ASCII)
_OUTPUT = re.compile(
    rf"(?P<entity>{ENTITY})/v(?P<major>[1-9]\d{{0,5}})/{_DAY}/{_NAME}\+r(?P<revision>0|[1-9]\d{{0,9}})\.parquet",
    re.ASCII,
)
_MANIFEST = re.compile(rf"(?P<entity>{ENTITY})/_loads/(?P<sha256>[0-9a-f]{{64}})\.json", re.ASCII)
_LOG_ID = re.compile(LOG, re.ASCII)
_ENTITY_NAME = re.compile(ENTITY, re.ASCII)

MAX_OFFSET = 2**63 - 1
_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000
PUBLISHED_GOLD = "published.json"
CLOSED_LOGS = "_logs/"


@dataclass(frozen=True)
class BronzeKey:
    """`<entity>/year=/month=/day=/<log>+<partition>+<first offset>.parquet`; orders by offset within a day."""

    entity: str
    day: date
    log: str
    partition: int
    first_offset: int

    def __post_init__(self) -> None:
        if not _ENTITY_NAME.fullmatch(self.entity):
            raise LakeError(
                f"{self.entity!r} cannot be an entity in a key: use lower-case letters, digits and _"
            )
        require_log_id(self.log)
        if not 0 <= self.partition < 10**10 or not 0 <= self.first_offset <= MAX_OFFSET:
            raise LakeError(f"partition {self.partition}, offset {self.first_offset} cannot stand in a key")

    def __str__(self) -> str:
        return f"{self.entity}/{_day_path(self.day)}/{self._name()}.parquet"

    def _name(self) -> str:
        return f"{self.log}+{self.partition}+{self.first_offset:020d}"

    def silver(self, major: int, revision: int) -> str:
        """Key of the Silver object of this Bronze object at a revision."""
        return str(OutputKey(self, major, revision))

    def quarantine(self, major: int, revision: int) -> str:
        """Key of the Quarantine object: the same as Silver's, in another bucket."""
        return str(OutputKey(self, major, revision))

    @classmethod
    def parse(cls, key: str) -> Self:
        """The parts of a Bronze key; LakeError for anything that this module would not have built."""
        found = _BRONZE.fullmatch(key)
        if found is None:
            raise LakeError(f"{key!r} is not the key of a Bronze object")
        parsed = cls(*_common_parts(found, key))
        if str(parsed) != key:
            raise LakeError(f"{key!r} is not the key of a Bronze object")
        return parsed


@dataclass(frozen=True)
class OutputKey:
    """`<entity>/v<major>/year=…/<bronze name>+r<revision>.parquet`, for Silver and Quarantine alike."""

    bronze: BronzeKey
    major: int
    revision: int

    def __post_init__(self) -> None:
        if not 1 <= self.major < 10**6 or not 0 <= self.revision < 10**10:
            raise LakeError(f"major {self.major}, revision {self.revision} cannot stand in a key")

    def __str__(self) -> str:
        bronze = self.bronze
        return (
            f"{bronze.entity}/v{self.major}/{_day_path(bronze.day)}/{bronze._name()}+r{self.revision}.parquet"
        )

    @classmethod
    def parse(cls, key: str) -> Self:
        """The parts of a Silver or Quarantine key; LakeError for anything else."""
        found = _OUTPUT.fullmatch(key)
        if found is None:
            raise LakeError(f"{key!r} is not the key of a Silver or Quarantine object")
        bronze = BronzeKey(*_common_parts(found, key))
        return cls(bronze, int(found["major"]), int(found["revision"]))


@dataclass(frozen=True)
class LoadManifestKey:
    """`<entity>/_loads/<sha256>.json`: written once per file, by whoever comes first."""

    entity: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.entity}/_loads/{self.sha256}.json"

    @classmethod
    def parse(cls, key: str) -> Self:
        """The parts of a manifest key; LakeError for anything else."""
        found = _MANIFEST.fullmatch(key)
        if found is None:
            raise LakeError(f"{key!r} is not the key of a load's manifest")
        return cls(found["entity"], found["sha256"])

    @property
    def log(self) -> str:
        """Log id of the file."""
        return load_log(self.sha256)


@dataclass(frozen=True)
class Buckets:
    """The lake's buckets, all named from one prefix."""

    landing: str
    bronze: str
    silver: str
    quarantine: str
    gold: str

    @classmethod
    def of(cls, prefix: str) -> Self:
        """Names for a prefix such as `olist-data-lake`."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,45}[a-z0-9]", prefix):
            raise LakeError(
                f"bucket prefix {prefix!r}: use 3 to 47 lower-case letters, digits and dashes, no dash at an end"
            )
        return cls(*(f"{prefix}-{layer}" for layer in ("landing", "bronze", "silver", "quarantine", "gold")))


def require_log_id(log: str) -> str:
    """The log id itself, or LakeError."""
    if not _LOG_ID.fullmatch(log):
        raise LakeError(
            f"log id {log!r}: use 1 to 63 lower-case letters, digits and dashes, no dash at an end"
        )
    return log


def load_log(sha256: str) -> str:
    """Log id of a batch file: its first 16 hex digits name it."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise LakeError(f"{sha256!r} is not a SHA-256 in lower-case hex")
    return f"load-{sha256[:16]}"


def is_load(log: str) -> bool:
    """Whether a log is a batch file rather than a Kafka topic."""
    return re.fullmatch(r"load-[0-9a-f]{16}", log) is not None


def topic_of(entity: str, major: int) -> str:
    """Kafka topic of an entity's major version."""
    return f"{entity}.v{major}"


def bronze_data_prefix(entity: str) -> str:
    """Prefix of all data objects of an entity: what lies under `_loads/` is no data."""
    return f"{entity}/year="


def load_manifest_prefix(entity: str) -> str:
    """Prefix of the manifests of an entity's batch files."""
    return f"{entity}/_loads/"


def edits_prefix(entity: str) -> str:
    """Prefix (Quarantine bucket) of the files by which people edited an entity's rows; kept for ever."""
    return f"{entity}/_edits/"


def edits_key(entity: str, sha256: str, parquet: bool) -> str:
    """Key of an edits file that was uploaded by its content: the same file again is the same object."""
    return f"{edits_prefix(entity)}{sha256}.{'parquet' if parquet else 'csv'}"


def bronze_day_prefix(entity: str, day: date) -> str:
    """Prefix under which an entity's Bronze objects of one UTC day lie."""
    return f"{entity}/{_day_path(day)}/"


def bronze_log_prefix(entity: str, day: date, log: str, partition: int) -> str:
    """Prefix of one partition's Bronze objects of one UTC day, in offset order when listed."""
    return f"{bronze_day_prefix(entity, day)}{log}+{partition}+"


def schema_definition_key(schema_version_id: str) -> str:
    """Key (Bronze bucket) that keeps a schema definition once it was resolved."""
    return f"_schemas/{schema_version_id}.proto"


def closed_log_key(log: str) -> str:
    """Key (Bronze bucket) of the note that closes a log whose broker is gone."""
    return f"{CLOSED_LOGS}{require_log_id(log)}.json"


def gold_table_key(build: str, table: str, part: str = "") -> str:
    """Key (Gold bucket) of a table that one build published, or of one part of it, such as an event month."""
    return f"builds/{build}/{table}/{part}.parquet" if part else f"builds/{build}/{table}.parquet"


def day_of(broker_time_ms: int) -> date:
    """UTC day of a broker time in milliseconds; what no calendar holds counts as its first or last day.

    A broker that keeps its producers' clocks hands on whatever they say, and no record may stop a writer.
    """
    ordinal = _EPOCH.toordinal() + broker_time_ms // _DAY_MS
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))


def _day_path(day: date) -> str:
    return f"year={day.year:04d}/month={day.month:02d}/day={day.day:02d}"


def _common_parts(found: re.Match[str], key: str) -> tuple[str, date, str, int, int]:
    offset = int(found["offset"])
    if offset > MAX_OFFSET:
        raise LakeError(f"{key!r} holds an offset beyond 2^63 - 1")
    try:
        day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError as error:
        raise LakeError(f"{key!r} holds no calendar day") from error
    return found["entity"], day, found["log"], int(found["partition"]), offset
