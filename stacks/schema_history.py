"""Every definition that a registry may ever have been given: `schemas/<topic>/<version>.proto`, written once.

`python -m stacks.schema_history` adds what the contracts have now. A new account gets all of them, in order, so that
an old client's version is known there too.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lakehouse.catalog import Entity, load_entities
from lakehouse.errors import ContractError, NexusError

FOLDER = Path(__file__).parent / "schemas"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class SchemaVersion:
    """One version of a topic's schema."""

    topic: str
    version: str
    definition: str


def published(entity: Entity, folder: Path = FOLDER) -> list[SchemaVersion]:
    """The versions of an entity's topic, oldest first; ContractError when the current one is not among them."""
    files = sorted((folder / entity.topic).glob("*.proto"), key=lambda file: _order(file.stem))
    found = [SchemaVersion(entity.topic, file.stem, file.read_text("utf-8")) for file in files]
    current = [one for one in found if one.version == entity.version]
    if not current:
        raise ContractError(
            f"{entity.name}.yaml", "version", f"{entity.version} is not among the published schemas", _REMEDY
        )
    if current[0].definition != entity.definition:
        raise ContractError(
            f"{entity.name}.yaml",
            "version",
            f"{entity.version} is published with another definition",
            "Raise the version; if it was never deployed, remove its file in stacks/schemas and run "
            "`python -m stacks.schema_history`.",
        )
    return found


def publish(entities: Iterable[Entity], folder: Path = FOLDER) -> list[Path]:
    """Writes the versions that are not there yet; those written. What is there never changes."""
    written = []
    for entity in entities:
        path = folder / entity.topic / f"{entity.version}.proto"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(entity.definition, "utf-8")
            written.append(path)
        published(entity, folder)
    return written


_REMEDY = "Run `python -m stacks.schema_history` and commit what it writes."


def _order(version: str) -> tuple[int, ...]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ContractError(f"{version}.proto", "name", "is no version", "Name it as its contract's version.")
    return tuple(int(part) for part in found.groups())


if __name__ == "__main__":
    try:
        for path in publish(load_entities().values()):
            print(f"wrote {path.relative_to(FOLDER.parents[1])}")
    except NexusError as error:
        sys.exit(str(error))
