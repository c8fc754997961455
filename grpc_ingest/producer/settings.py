"""What the plain producer takes from its environment: the same variables as the host, with a share of its own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from grpc_ingest.backlog import PLAIN_SHARE
from grpc_ingest.environment import need, need_log, read_backlog, read_path


@dataclass(frozen=True)
class Settings:
    """Settings of one plain producer."""

    broker: str
    log: str
    registry: str = "keystone-nexus"
    region: str = "us-east-1"
    aws_endpoint: str | None = None
    marks: Path | None = None
    backlog_bytes: int = 0

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Reads NEXUS_BROKER and NEXUS_LOG, which are needed, and the rest as `.env.example` lists it."""
        return cls(
            broker=need(environment, "NEXUS_BROKER", "Kafka's address, host:port"),
            log=need_log(environment),
            registry=environment.get("NEXUS_REGISTRY") or cls.registry,
            region=environment.get("AWS_REGION") or cls.region,
            aws_endpoint=environment.get("AWS_ENDPOINT_URL") or None,
            marks=read_path(environment, "NEXUS_ACK_MARKS"),
            backlog_bytes=read_backlog(environment, PLAIN_SHARE),
        )
