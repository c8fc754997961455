"""What a running lake is: options it was started with, addresses found at start, and `run/state.json` for others.

state.json holds the ledger's password: it and its folder are readable by their owner only.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from lakehouse.errors import RuntimeFault

CODE = Path(__file__).resolve().parent.parent
# Local servers take any key; boto3 refuses to work without one.
DUMMY_KEY = "local"
# in place of an address: a Kafka that is started with the lake and keeps its data in it
OWN_KAFKA = "kafka"


@dataclass(frozen=True)
class Options:
    """What a person may choose for `up`. `environment` is added to every child's (and is all they inherit)."""

    bucket_prefix: str = "olist-data-lake"
    region: str = "us-east-1"
    registry: str = "keystone-nexus"
    partitions: int = 4
    check_processes: int = 1
    refresh: bool = True  # whether Gold follows Silver by itself
    grpc_port: int = 0  # 0: any free one
    broker: str = ""  # host:port of a real Kafka, or OWN_KAFKA; empty: the embedded one
    log: str = ""  # log id, for a real Kafka of one's own
    ledger_url: str = ""  # a PostgreSQL of one's own; empty: the embedded one
    broker_control: bool = False  # let tests make the embedded broker fail, through `run/broker.control`
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.broker == OWN_KAFKA:
            if self.log:
                raise RuntimeFault(
                    "A Kafka that is started with the lake has a log id of its own: leave out --log."
                )
        elif self.broker and not self.log:
            raise RuntimeFault(
                "A real Kafka needs a log id: one short name for this incarnation of its topics, for example "
                "--log shop-2026. Take a new one whenever the topics are made anew."
            )
        if self.check_processes < 1 or self.partitions < 1:
            raise RuntimeFault("At least one check process and one partition are needed.")


@dataclass(frozen=True)
class Site:
    """A lake, its options, and what is known of its children so far (0 and empty: not yet)."""

    lake: Path
    options: Options
    aws_port: int = 0
    check_queue_url: str = ""
    ledger_port: int = 0
    ledger_url: str = ""
    broker: str = ""
    log: str = ""
    grpc_port: int = 0
    notes: tuple[str, ...] = ()

    @property
    def run(self) -> Path:
        """Logs, ready files and state of this run."""
        return self.lake / "run"

    @property
    def logs(self) -> Path:
        """One log per child."""
        return self.run / "logs"

    @property
    def marks(self) -> Path:
        """How far each producing process acknowledged."""
        return self.run / "marks"

    @property
    def aws_url(self) -> str:
        """Where the embedded S3, EventBridge, SQS and Glue answer."""
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def embedded_broker(self) -> bool:
        """Whether the broker, and with it the log, is ours and ends with us."""
        return not self.options.broker


@dataclass(frozen=True)
class Running:
    """A lake that runs: what `run/state.json` says. `children` maps a name to its pid, or 0 while it is down."""

    lake: Path
    supervisor_pid: int
    started_at: str
    bucket_prefix: str
    region: str
    registry: str
    aws_url: str
    check_queue_url: str
    ledger_url: str
    broker: str
    embedded_broker: bool
    log: str
    grpc_address: str
    children: Mapping[str, int]
    restarts: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, site: Site, started_at: str, children: Mapping[str, int], restarts: Mapping[str, int]
    ) -> Self:
        """The state of a site whose supervisor is this process."""
        return cls(
            lake=site.lake,
            supervisor_pid=os.getpid(),
            started_at=started_at,
            bucket_prefix=site.options.bucket_prefix,
            region=site.options.region,
            registry=site.options.registry,
            aws_url=site.aws_url,
            check_queue_url=site.check_queue_url,
            ledger_url=site.ledger_url,
            broker=site.broker,
            embedded_broker=site.embedded_broker,
            log=site.log,
            grpc_address=f"127.0.0.1:{site.grpc_port}",
            children=children,
            restarts=restarts,
            notes=site.notes,
        )

    def environment(self) -> dict[str, str]:
        """The variables with which any process of ours works on this lake."""
        return lake_environment(self)


def lake_environment(place: "Site | Running") -> dict[str, str]:
    """Where everything is, and nothing that could lead to a real AWS account."""
    options = place.options if isinstance(place, Site) else place
    embedded = {
        "NEXUS_ACK_MARKS": str(place.lake / "run" / "marks"),
        "NEXUS_BACKLOG_BYTES": "embedded",
    }
    return {
        **(embedded if place.embedded_broker else {}),
        "NEXUS_LAKE": str(place.lake),
        "NEXUS_BUCKET_PREFIX": options.bucket_prefix,
        "NEXUS_REGISTRY": options.registry,
        "NEXUS_BROKER": place.broker,
        "NEXUS_LOG": place.log,
        "NEXUS_LEDGER_URL": place.ledger_url,
        "NEXUS_CHECK_QUEUE_URL": place.check_queue_url,
        "AWS_ENDPOINT_URL": place.aws_url,
        "AWS_REGION": options.region,
        "AWS_DEFAULT_REGION": options.region,
        "AWS_ACCESS_KEY_ID": DUMMY_KEY,
        "AWS_SECRET_ACCESS_KEY": DUMMY_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def write_state(running: Running) -> None:
    """Atomic: a reader sees the former state or this one."""
    path = running.lake / "run" / "state.json"
    text = json.dumps({**asdict(running), "lake": str(running.lake)}, indent=2) + "\n"
    part = path.with_name("state.json.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def read_state(lake: Path) -> Running | None:
    """The last written state, whether or not it still runs; None when there is none or it is of another version."""
    try:
        found: dict[str, Any] = json.loads((lake / "run" / "state.json").read_text())
        return Running(**{**found, "lake": Path(found["lake"]), "notes": tuple(found["notes"])})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


class OpenLogs:
    """Ids of embedded logs that were begun and not yet closed in the ledger, kept over every kind of death."""

    def __init__(self, site: Site) -> None:
        self._path = site.run / "open_logs"

    def __iter__(self) -> Iterator[str]:
        return iter(self._path.read_text().split() if self._path.exists() else [])

    def add(self, log: str) -> None:
        """To be called before the first event of that log can be acknowledged."""
        self._write([*self, log])

    def remove(self, log: str) -> None:
        """To be called once the ledger has closed it. Idempotent."""
        self._write([other for other in self if other != log])

    def _write(self, logs: list[str]) -> None:
        part = self._path.with_suffix(".part")
        part.write_text("".join(f"{log}\n" for log in logs))
        part.replace(self._path)
