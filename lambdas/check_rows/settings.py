"""What the check hop takes from its environment."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from lakehouse.errors import SettingsError
from lakehouse.paths import Buckets
from lambdas.check_rows.limits import LIMITS


@dataclass(frozen=True)
class Settings:
    """NEXUS_BUCKET_PREFIX, NEXUS_LEDGER_URL, AWS_REGION, and AWS_ENDPOINT_URL for an AWS of one's own.

    NEXUS_BUCKET_OWNER is the account that the buckets must belong to; without it S3 is not asked. Objects of more than
    NEXUS_WHOLE_OBJECT_BYTES are read in ranges.
    """

    buckets: Buckets
    ledger_url: str
    region: str
    endpoint: str | None = None
    owner: str | None = None
    whole_bytes: int = LIMITS.whole_bytes
    child_environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """SettingsError names the first variable that is missing or wrong."""
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
            owner=environment.get("NEXUS_BUCKET_OWNER") or None,
            whole_bytes=_whole_bytes(environment.get("NEXUS_WHOLE_OBJECT_BYTES")),
            child_environment=child_environment(environment),
        )


def _whole_bytes(text: str | None) -> int:
    if not text:
        return LIMITS.whole_bytes
    if not re.fullmatch("[1-9][0-9]{0,12}", text):
        raise SettingsError(f"NEXUS_WHOLE_OBJECT_BYTES is {text!r}: give a number of bytes above 0")
    return int(text)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """For a child that reads untrusted files: where its code is, and nothing of accounts or addresses.

    The plain allocator fails where a limit of memory is; the others reserve a gigabyte before they need any.
    """
    kept = {name: environment[name] for name in ("PATH", "LD_LIBRARY_PATH", "TZ") if name in environment}
    code = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
    return {**kept, **code, "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
