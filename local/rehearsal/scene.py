"""The deployed environment, as its checks see it: clients of the local AWS, names, settings, and what was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.objects import ObjectStore
from lakehouse.errors import RuntimeFault
from local.aws_setup import local_client
from local.rehearsal.deployed import Deployed, Running, fetch
from local.rehearsal.journal import Entry, read_journal
from local.rehearsal.ledger import RehearsalLedger
from stacks.naming import Names
from stacks.settings import Settings


@dataclass(frozen=True)
class Scene:
    """One environment after its deployment."""

    settings: Settings
    names: Names
    endpoint: str
    folder: Path
    ledger: RehearsalLedger
    entries: tuple[Entry, ...]

    def client(self, service: str) -> Any:
        """Of the local AWS."""
        return local_client(service, self.endpoint, self.settings.region)

    @property
    def store(self) -> ObjectStore:
        """Of the lake's buckets."""
        return ObjectStore.connect(self.endpoint, self.settings.region)

    def of_type(self, type_: str) -> list[Entry]:
        """Resources of our stacks, not those of the bootstrap."""
        prefix = self.names.stack("")
        return [e for e in self.entries if e.type == type_ and e.stack.startswith(prefix)]

    def function(self, name: str, qualifier: str = "$LATEST") -> Deployed:
        """A deployed function by its physical name, with its package. RuntimeFault when there is none."""
        for entry in self.of_type("AWS::Lambda::Function"):
            if entry.physical_id == name:
                return fetch(
                    self.client("lambda"), self.client("s3"), self._find, entry, self.folder, qualifier
                )
        raise RuntimeFault(f"no stack has made a function {name}")

    def start(self, function: Deployed, more: Mapping[str, str] | None = None) -> Running:
        """Its process; the ledger's address is this machine's, with the function's own user."""
        changes = {**self.ledger_here(function), **(more or {})}
        return Running(function, self.folder, self.endpoint, self.settings.region, changes)

    def ledger_here(self, function: Deployed) -> dict[str, str]:
        """What differs in a function's environment in any case."""
        url = function.environment.get("NEXUS_LEDGER_URL")
        return {"NEXUS_LEDGER_URL": self.ledger.url_of(url)} if url else {}

    def _find(self, type_: str, name: str, value: str) -> Entry | None:
        found = [e for e in self.entries if e.type == type_ and e.attributes.get(name) == value]
        return found[-1] if found else None


def set_scene(
    settings: Settings, endpoint: str, folder: Path, journal: Path, ledger: RehearsalLedger
) -> Scene:
    """What is there now."""
    names = Names(settings.environment, settings.bucket_prefix)
    return Scene(settings, names, endpoint, folder, ledger, tuple(read_journal(journal)))
