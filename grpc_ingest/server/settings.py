"""What the host takes from its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from adapters.msk_auth import KafkaAuth, read_kafka_auth
from grpc_ingest.backlog import HOST_SHARE
from grpc_ingest.environment import need, need_log, read_backlog, read_number, read_path, read_port


@dataclass(frozen=True)
class Settings:
    """Settings of one host. Times in seconds, sizes in bytes."""

    broker: str
    log: str
    host: str = "127.0.0.1"
    port: int = 0
    registry: str = "keystone-nexus"
    region: str = "us-east-1"
    aws_endpoint: str | None = None
    ready_file: Path | None = None
    marks: Path | None = None
    backlog_bytes: int = 0
    message_timeout_s: float = 10.0
    answer_s: float = 12.0  # how long a request waits at most, when its client sets no deadline
    max_message_bytes: int = 4 * 1024 * 1024
    log_level: str = "INFO"
    kafka_auth: KafkaAuth = "none"
    health_port: int | None = None
    connection_age_s: int = 0

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Reads NEXUS_BROKER and NEXUS_LOG, which are needed, and the rest as `.env.example` lists it."""
        message_timeout_s = read_number(environment, "NEXUS_MESSAGE_TIMEOUT_MS", 10_000, 100, 300_000) / 1000
        return cls(
            broker=need(environment, "NEXUS_BROKER", "Kafka's address, host:port"),
            log=need_log(environment),
            host=environment.get("NEXUS_GRPC_HOST") or cls.host,
            port=read_number(environment, "NEXUS_GRPC_PORT", 50051, 0, 65_535),
            registry=environment.get("NEXUS_REGISTRY") or cls.registry,
            region=environment.get("AWS_REGION") or cls.region,
            aws_endpoint=environment.get("AWS_ENDPOINT_URL") or None,
            ready_file=read_path(environment, "NEXUS_READY_FILE"),
            marks=read_path(environment, "NEXUS_ACK_MARKS"),
            backlog_bytes=read_backlog(environment, HOST_SHARE),
            message_timeout_s=message_timeout_s,
            # librdkafka finds a record that timed out within a second or so
            answer_s=message_timeout_s + 2.0,
            # gRPC's own default; Kafka takes events up to 1 MB
            max_message_bytes=read_number(
                environment, "NEXUS_GRPC_MAX_BYTES", cls.max_message_bytes, 65_536, 64 * 1024 * 1024
            ),
            log_level=environment.get("NEXUS_LOG_LEVEL") or cls.log_level,
            kafka_auth=read_kafka_auth(environment),
            health_port=read_port(environment, "NEXUS_HEALTH_PORT"),
            connection_age_s=read_number(environment, "NEXUS_GRPC_CONNECTION_AGE_S", 0, 0, 86_400),
        )
