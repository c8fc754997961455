"""What the sweeper takes from its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from lakehouse.errors import SettingsError
from lakehouse.paths import Buckets

# Announcements take seconds; what is older than five minutes was lost on its way or failed.
_MINIMUM_AGE_S = "300"


@dataclass(frozen=True)
class Settings:
    """NEXUS_BUCKET_PREFIX, NEXUS_LEDGER_URL, NEXUS_CHECK_QUEUE_URL, AWS_REGION.

    And AWS_ENDPOINT_URL for an AWS of one's own, NEXUS_SWEEP_MINIMUM_AGE_S (300): younger objects are left alone.
    """

    buckets: Buckets
    ledger_url: str
    queue_url: str
    region: str
    minimum_age: timedelta
    endpoint: str | None = None

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """SettingsError names the first variable that is missing or cannot be read."""
        meanings = {
            "NEXUS_BUCKET_PREFIX": "the prefix of the lake's buckets, such as olist-data-lake",
            "NEXUS_LEDGER_URL": "postgresql://user:password@host:port/database",
            "NEXUS_CHECK_QUEUE_URL": "the URL of the queue that the check hop reads",
            "AWS_REGION": "the region of the buckets",
        }
        for name, meaning in meanings.items():
            if not environment.get(name):
                raise SettingsError(f"{name} is not set: give {meaning}")
        age = environment.get("NEXUS_SWEEP_MINIMUM_AGE_S", _MINIMUM_AGE_S)
        if not age.isdecimal():
            raise SettingsError(f"NEXUS_SWEEP_MINIMUM_AGE_S is {age!r}: give whole seconds")
        return cls(
            buckets=Buckets.of(environment["NEXUS_BUCKET_PREFIX"]),
            ledger_url=environment["NEXUS_LEDGER_URL"],
            queue_url=environment["NEXUS_CHECK_QUEUE_URL"],
            region=environment["AWS_REGION"],
            minimum_age=timedelta(seconds=int(age)),
            endpoint=environment.get("AWS_ENDPOINT_URL") or None,
        )
