"""One holder per lake: an flock on `<lake>/lock`, whose text says who holds it.

The kernel gives the lock back when its holder ends, however it ends, so there is no stale lock to remove.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lakehouse.errors import RuntimeFault

# `read_holder` takes the lock shared for microseconds; whoever wants it for itself tries a few times
# before it believes that somebody really holds it.
TRIES = 20
PAUSE_S = 0.02


@dataclass(frozen=True)
class Holder:
    """Who holds a lake. `since` is UTC, ISO 8601 to the second."""

    pid: int
    command: str
    since: str


class LakeBusy(RuntimeFault):
    """Another process holds the lake."""

    def __init__(self, lake: Path, holder: Holder | None) -> None:
        who = (
            f"process {holder.pid} ({holder.command}, since {holder.since})" if holder else "another process"
        )
        super().__init__(
            f"The lake {lake} is in use by {who}. Stop it with `nexus down`, wait until it ends, "
            "or work on another lake."
        )
        self.lake, self.holder = lake, holder


class LakeLock:
    """Held from `take` until `release` or the end of the process. Not inherited by children."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path

    @classmethod
    def take(cls, lake: Path, command: str, since: str) -> Self:
        """Raises LakeBusy when somebody else holds it; `command` and `since` are what they will be told."""
        path = lake / "lock"
        descriptor = _open(path)
        for attempt in range(TRIES):
            if _try_lock(descriptor, fcntl.LOCK_EX, path):
                break
            if attempt + 1 < TRIES:
                time.sleep(PAUSE_S)
        else:
            os.close(descriptor)
            raise LakeBusy(lake, _read(path))
        text = json.dumps(asdict(Holder(os.getpid(), command, since))) + "\n"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        return cls(descriptor, path)

    def release(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def read_holder(lake: Path) -> Holder | None:
    """Who holds the lake now; None when nobody does (or there is no lake)."""
    path = lake / "lock"
    if not path.exists():
        return None
    with _opened(path) as descriptor:
        if _try_lock(descriptor, fcntl.LOCK_SH, path):
            return None
        return _read(path) or Holder(0, "unknown", "unknown")


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RuntimeFault(
            f"{path} cannot be opened ({error.strerror}). Make its folder writable, or choose another lake."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = _open(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise RuntimeFault(
            f"{path} cannot be locked ({error.strerror}). Put the lake on a local disk: "
            "some network file systems have no locks."
        ) from error
    return True


def _read(path: Path) -> Holder | None:
    """None while the holder has not yet written who it is."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
