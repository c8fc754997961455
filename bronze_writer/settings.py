"""What the writer takes from its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from adapters.msk_auth import KafkaAuth, read_kafka_auth
from bronze_writer.partition_writer import Limits
from lakehouse.errors import LakeError, SettingsError
from lakehouse.paths import Buckets, require_log_id

LOCAL_LIMITS = Limits(size=1_000_000, rows=20_000, seconds=2.0)


@dataclass(frozen=True)
class LakeSettings:
    """Where Bronze is. `patience_s`: how long a store or registry that is away is asked again."""

    bucket: str
    region: str = "us-east-1"
    aws_endpoint: str | None = None
    # Five minutes outlast a restart of a local server and most of what S3 calls an incident.
    patience_s: float = 300.0
    log_level: str = "INFO"

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Reads NEXUS_BUCKET_PREFIX, AWS_REGION, AWS_ENDPOINT_URL, NEXUS_PATIENCE_SECONDS, NEXUS_LOG_LEVEL."""
        try:
            buckets = Buckets.of(environment.get("NEXUS_BUCKET_PREFIX") or "olist-data-lake")
        except LakeError as error:
            raise SettingsError(f"NEXUS_BUCKET_PREFIX: {error}") from error
        return cls(
            bucket=buckets.bronze,
            region=environment.get("AWS_REGION") or cls.region,
            aws_endpoint=environment.get("AWS_ENDPOINT_URL") or None,
            patience_s=_number(environment, "NEXUS_PATIENCE_SECONDS", cls.patience_s, 0, 86_400),
            log_level=_level(environment),
        )


@dataclass(frozen=True)
class Settings:
    """Settings of one stream writer.

    LOCAL_LIMITS suit the embedded broker, which keeps 5 MB per partition: what is not landed yet must stay well
    below that. On AWS, where objects cost more than minutes, take 128 MB and minutes.
    """

    lake: LakeSettings
    broker: str
    log: str
    registry: str = "keystone-nexus"
    limits: Limits = LOCAL_LIMITS
    ready_file: Path | None = None
    kafka_auth: KafkaAuth = "none"
    health_port: int | None = None

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Reads NEXUS_BROKER and NEXUS_LOG, which are needed, and the rest as `.env.example` lists it."""
        log = _need(
            environment, "NEXUS_LOG", "a short id for this incarnation of the topics, such as shop-2026"
        )
        try:
            require_log_id(log)
        except LakeError as error:
            raise SettingsError(f"NEXUS_LOG: {error}") from error
        ready = environment.get("NEXUS_READY_FILE")
        plain = LOCAL_LIMITS
        return cls(
            lake=LakeSettings.from_env(environment),
            broker=_need(environment, "NEXUS_BROKER", "Kafka's address, host:port"),
            log=log,
            registry=environment.get("NEXUS_REGISTRY") or cls.registry,
            limits=Limits(
                # One partition's rows are held up to twice: being landed, and waiting behind that.
                size=int(_number(environment, "NEXUS_FLUSH_BYTES", plain.size, 1, 2**30)),
                rows=int(_number(environment, "NEXUS_FLUSH_ROWS", plain.rows, 1, 10**7)),
                seconds=_number(environment, "NEXUS_FLUSH_SECONDS", plain.seconds, 0, 86_400),
            ),
            ready_file=Path(ready) if ready else None,
            kafka_auth=read_kafka_auth(environment),
            health_port=int(_number(environment, "NEXUS_HEALTH_PORT", 0, 0, 65_535))
            if environment.get("NEXUS_HEALTH_PORT")
            else None,
        )


def _need(environment: Mapping[str, str], name: str, meaning: str) -> str:
    value = environment.get(name)
    if not value:
        raise SettingsError(f"{name} is not set: give {meaning}")
    return value


def _number(environment: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise SettingsError(f"{name} is {text!r}: give a number from {least:,} to {most:,}")
    return number


def _level(environment: Mapping[str, str]) -> str:
    level = (environment.get("NEXUS_LOG_LEVEL") or "INFO").upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise SettingsError(f"NEXUS_LOG_LEVEL is {level!r}: give DEBUG, INFO, WARNING or ERROR")
    return level
