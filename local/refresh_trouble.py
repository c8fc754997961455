"""What `nexus status` is told of refreshes that fail: one small file in the run folder, gone when one succeeds."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from local.lake_store import write_whole

_FILE = "gold.trouble.json"


@dataclass(frozen=True)
class Trouble:
    """How often in a row, since when (UTC, ISO 8601), and what the last try said."""

    tries: int
    since: str
    text: str


def note_trouble(run: Path, trouble: Trouble) -> None:
    """Replaces what was told before."""
    write_whole(run / _FILE, json.dumps(asdict(trouble), ensure_ascii=False) + "\n")


def clear_trouble(run: Path) -> None:
    """Idempotent."""
    (run / _FILE).unlink(missing_ok=True)


def read_trouble(run: Path) -> Trouble | None:
    """None when the last refresh succeeded, or none was tried."""
    try:
        return Trouble(**json.loads((run / _FILE).read_text("utf-8")))
    except FileNotFoundError:
        return None
