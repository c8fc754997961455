"""What a supervisor tells while it works: one JSON line per event in `run/events-<pid>.jsonl`, kept while it runs.

Whoever starts or stops a lake follows this file; nobody has to be there to read it.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

_log = logging.getLogger("local.supervisor")


@dataclass(frozen=True)
class Event:
    """`kind`: starting, ready, note, running, died, lost, stopping, stopped, failed, ended. `text` is for a person.

    `done` of `of` children are ready (or stopped). `at` is UTC, ISO 8601.
    """

    kind: str
    text: str
    name: str = ""
    done: int = 0
    of: int = 0
    at: str = ""


class EventFile:
    """The supervisor's side: appends, and writes the same into its log."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._now = now
        self._file = path.open("a", buffering=1)

    def tell(self, kind: str, text: str, name: str = "", done: int = 0, of: int = 0) -> None:
        """`died`, `lost` and `failed` are logged as errors, all else as information."""
        event = Event(kind, text, name, done, of, stamp(self._now()))
        self._file.write(json.dumps(asdict(event)) + "\n")
        level = logging.ERROR if kind in ("died", "lost", "failed") else logging.INFO
        _log.log(level, text, extra={"kind": kind, "child": name})

    def close(self) -> None:
        """No more events."""
        self._file.close()


class EventReader:
    """The other side: `fresh` gives what was appended since the last call, whole lines only.

    `since` (as `Event.at`): older events are passed over. They are of a former supervisor that had the same pid.
    """

    def __init__(self, path: Path, since: str = "", from_end: bool = False) -> None:
        self._path, self._since = path, since
        self._place = path.stat().st_size if from_end and path.exists() else 0

    def fresh(self) -> Iterator[Event]:
        """Empty while the file is not there yet."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._place += len(line)
                fields: dict[str, Any] = json.loads(line)
                event = Event(**fields)
                if event.at >= self._since:
                    yield event


def stamp(moment: datetime) -> str:
    """A moment as events have it: orders as text does, as long as all are in one zone (UTC)."""
    return moment.isoformat(timespec="milliseconds")


def events_path(lake: Path, supervisor_pid: int) -> Path:
    """Named by pid, so that a second start on a running lake cannot spoil the first one's."""
    return lake / "run" / f"events-{supervisor_pid}.jsonl"
