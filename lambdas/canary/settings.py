"""What the canary takes from its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lakehouse.errors import SettingsError
from lakehouse.paths import Buckets

_MEANINGS = {
    "NEXUS_INGEST_ADDRESS": "host:port of the balancer in front of the gRPC hosts",
    "NEXUS_INGEST_NAME": "the name in the balancer's certificate, or `none` for a host without TLS",
    "NEXUS_BUCKET_PREFIX": "the prefix of the lake's buckets, such as olist-data-lake",
    "NEXUS_LEDGER_URL": "postgresql://user:password@host:port/database",
    "NEXUS_REGISTRY": "the name of the schema registry",
    "NEXUS_ALARM_PREFIX": "what the names of this environment's alarms begin with, such as nexus-dev-",
    "NEXUS_CANARY_PATIENCE_S": "whole seconds to wait for the events after they were acknowledged",
    "AWS_REGION": "the region of all this",
}


@dataclass(frozen=True)
class Settings:
    """`certificate_name` is empty for a host without TLS, `connector` where no connector lands. Times in seconds."""

    ingest_address: str
    certificate_name: str
    buckets: Buckets
    ledger_url: str
    registry: str
    alarm_prefix: str
    patience_s: int
    region: str
    connector: str = ""
    endpoint: str | None = None

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Needs all but NEXUS_CONNECTOR and AWS_ENDPOINT_URL. SettingsError names the first that is missing."""
        for name, meaning in _MEANINGS.items():
            if not environment.get(name):
                raise SettingsError(f"{name} is not set: give {meaning}")
        patience, name = environment["NEXUS_CANARY_PATIENCE_S"], environment["NEXUS_INGEST_NAME"]
        if not (patience.isascii() and patience.isdecimal()):
            raise SettingsError(f"NEXUS_CANARY_PATIENCE_S is {patience!r}: give whole seconds")
        return cls(
            ingest_address=environment["NEXUS_INGEST_ADDRESS"],
            certificate_name="" if name == "none" else name,
            buckets=Buckets.of(environment["NEXUS_BUCKET_PREFIX"]),
            ledger_url=environment["NEXUS_LEDGER_URL"],
            registry=environment["NEXUS_REGISTRY"],
            alarm_prefix=environment["NEXUS_ALARM_PREFIX"],
            patience_s=int(patience),
            region=environment["AWS_REGION"],
            connector=environment.get("NEXUS_CONNECTOR", ""),
            endpoint=environment.get("AWS_ENDPOINT_URL") or None,
        )
