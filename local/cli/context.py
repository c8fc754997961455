"""What every command works on: the settings of this call."""

from dataclasses import dataclass, replace
from pathlib import Path

import typer

from lakehouse.catalog import Entity, load_entities
from lakehouse.errors import InputError
from lakehouse.paths import Buckets
from local.lake import Lake
from local.settings import Settings


@dataclass
class Call:
    """Settings after the environment and the global options."""

    settings: Settings

    @property
    def lake(self) -> Lake:
        """The lake of this call, with an absolute path."""
        return Lake(self.settings.lake.resolve(), Buckets.of(self.settings.bucket_prefix))


def make_call(lake: Path | None) -> Call:
    """From this process's environment, `--lake` before NEXUS_LAKE."""
    settings = Settings.from_process()
    return Call(settings if lake is None else replace(settings, lake=lake))


def call_of(context: typer.Context) -> Call:
    """The call a command belongs to."""
    found = context.find_object(Call)
    assert found is not None, "the callback makes it before any command runs"
    return found


def entity_named(name: str) -> Entity:
    """The entity of that name; InputError lists them all."""
    entities = load_entities()
    if name not in entities:
        raise InputError(f"There is no entity {name!r}. Choose one of: {', '.join(entities)}.")
    return entities[name]
