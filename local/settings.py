"""What the command line takes from its environment; every value can also be given as an option."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from lakehouse.errors import SettingsError

DEFAULT_PREFIX = "olist-data-lake"
REGION = "us-east-1"


@dataclass(frozen=True)
class Settings:
    """Settings of one machine's lake; `.env.example` lists them all with their defaults."""

    lake: Path
    bucket_prefix: str = DEFAULT_PREFIX
    broker: str = ""
    log: str = ""
    ledger: str = ""
    check_processes: int = 1
    refresh: bool = True
    region: str = REGION
    endpoint: str | None = None

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Reads NEXUS_LAKE, NEXUS_BUCKET_PREFIX, NEXUS_BROKER, NEXUS_LOG, NEXUS_LEDGER_URL, NEXUS_CHECK_PROCESSES.

        And NEXUS_REFRESH (on, off), and AWS_REGION, AWS_ENDPOINT_URL, which only commands with `--s3` use.
        """
        processes = environment.get("NEXUS_CHECK_PROCESSES", "1")
        if not processes.isdecimal() or not 1 <= int(processes) <= 64:
            raise SettingsError(f"NEXUS_CHECK_PROCESSES is {processes!r}: give a number from 1 to 64")
        refresh = environment.get("NEXUS_REFRESH") or "on"
        if refresh not in ("on", "off"):
            raise SettingsError(f"NEXUS_REFRESH is {refresh!r}: give on or off")
        return cls(
            lake=Path(environment.get("NEXUS_LAKE", ".nexus")),
            bucket_prefix=environment.get("NEXUS_BUCKET_PREFIX", DEFAULT_PREFIX),
            broker=environment.get("NEXUS_BROKER", ""),
            log=environment.get("NEXUS_LOG", ""),
            ledger=environment.get("NEXUS_LEDGER_URL", ""),
            check_processes=int(processes),
            refresh=refresh == "on",
            region=environment.get("AWS_REGION", REGION),
            endpoint=environment.get("AWS_ENDPOINT_URL") or None,
        )


@dataclass(frozen=True)
class WatchSettings:
    """NEXUS_BROKER, NEXUS_LOG and NEXUS_LEDGER_URL."""

    broker: str
    log: str
    ledger_url: str

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """All three are needed."""
        names = ("NEXUS_BROKER", "NEXUS_LOG", "NEXUS_LEDGER_URL")
        for name in names:
            if not environment.get(name):
                raise SettingsError(f"{name} is not set: `nexus up` sets it for the processes it starts")
        return cls(*(environment[name] for name in names))


@dataclass(frozen=True)
class CheckRunnerSettings:
    """NEXUS_CHECK_QUEUE_URL, AWS_REGION, AWS_ENDPOINT_URL, NEXUS_READY_FILE, NEXUS_SWEEP_EVERY_S (30).

    And NEXUS_SWEEP_MINIMUM_AGE_S (30): on one machine announcements come within the write itself, and an object that
    old was forgotten, or waits behind many others, where one more message does no harm.
    """

    queue_url: str
    region: str
    endpoint: str | None
    ready_file: Path | None
    sweep_every: timedelta
    minimum_age: timedelta

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """SettingsError names what is missing or cannot be read."""
        for name in ("NEXUS_CHECK_QUEUE_URL", "AWS_REGION"):
            if not environment.get(name):
                raise SettingsError(f"{name} is not set: `nexus up` sets it for the processes it starts")
        ready_file = environment.get("NEXUS_READY_FILE")
        return cls(
            queue_url=environment["NEXUS_CHECK_QUEUE_URL"],
            region=environment["AWS_REGION"],
            endpoint=environment.get("AWS_ENDPOINT_URL") or None,
            ready_file=Path(ready_file) if ready_file else None,
            sweep_every=_seconds(environment, "NEXUS_SWEEP_EVERY_S", "30"),
            minimum_age=_seconds(environment, "NEXUS_SWEEP_MINIMUM_AGE_S", "30"),
        )


@dataclass(frozen=True)
class RefreshSettings:
    """NEXUS_LAKE, NEXUS_BUCKET_PREFIX, NEXUS_LEDGER_URL, AWS_REGION, AWS_ENDPOINT_URL: all are needed."""

    lake: Path
    bucket_prefix: str
    ledger_url: str
    region: str
    endpoint: str

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """SettingsError names what is missing."""
        names = ("NEXUS_LAKE", "NEXUS_BUCKET_PREFIX", "NEXUS_LEDGER_URL", "AWS_REGION", "AWS_ENDPOINT_URL")
        for name in names:
            if not environment.get(name):
                raise SettingsError(f"{name} is not set: `nexus up` sets it for the processes it starts")
        lake, *others = (environment[name] for name in names)
        return cls(Path(lake), *others)


def _seconds(environment: Mapping[str, str], name: str, default: str) -> timedelta:
    text = environment.get(name, default)
    if not text.isdecimal() or len(text) > 9:
        raise SettingsError(f"{name} is {text!r}: give whole seconds")
    return timedelta(seconds=int(text))
