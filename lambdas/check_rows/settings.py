"""What the check hop takes from its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lakehouse.errors import SettingsError
from lakehouse.paths import Buckets


@dataclass(frozen=True)
class Settings:
    """NEXUS_BUCKET_PREFIX, NEXUS_LEDGER_URL, AWS_REGION, and AWS_ENDPOINT_URL for an AWS of one's own."""

    buckets: Buckets
    ledger_url: str
    region: str
    endpoint: str | None = None

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """SettingsError names the first variable that is missing."""
        meanings = {
            "NEXUS_BUCKET_PREFIX": "the prefix of the lake's buckets, such as olist-data-lake",
            "NEXUS_LEDGER_URL": "postgresql://user:password@host:port/database",
            "AWS_REGION": "the region of the buckets",
        }
        for name, meaning in meanings.items():
            if not environment.get(name):
                raise SettingsError(f"{name} is not set: give {meaning}")
        return cls(
            buckets=Buckets.of(environment["NEXUS_BUCKET_PREFIX"]),
            ledger_url=environment["NEXUS_LEDGER_URL"],
            region=environment["AWS_REGION"],
            endpoint=environment.get("AWS_ENDPOINT_URL") or None,
        )
