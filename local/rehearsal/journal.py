"""What the local AWS has made, resource by resource, as lines of JSON: the rehearsal reads what it must look at."""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """One resource. `unheld` are properties that no API of the local AWS holds; seconds are those of its making."""

    stack: str
    type: str
    logical_id: str
    physical_id: str
    attributes: Mapping[str, Any]
    properties: Mapping[str, Any]
    unheld: tuple[str, ...]
    seconds: float


class Journal:
    """Written by the server, in the order of making."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Kept, and written at once."""
        with self._lock:
            self._entries.append(entry)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(entry), default=str) + "\n")

    def with_attribute(self, type_: str, name: str, value: str) -> Entry | None:
        """The newest resource of a type whose attribute is this."""
        with self._lock:
            found = [e for e in self._entries if e.type == type_ and e.attributes.get(name) == value]
        return found[-1] if found else None


def read_journal(path: Path) -> list[Entry]:
    """All of it."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines]
    return [Entry(**{**one, "unheld": tuple(one["unheld"])}) for one in found]
