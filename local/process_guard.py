"""A guardian for machines whose kernel tells children nothing when their parent dies (all but Linux).

`python -m local.process_guard` reads `watch PID SIGNAL` and `forget PID` lines from its parent through stdin.
End of input means the parent is gone: every watched process gets its signal, and SIGKILL after GRACE_S.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

# PostgreSQL's fast shutdown takes 10 ms idle and a few seconds with a full checkpoint.
GRACE_S = 5.0
POLL_S = 0.05


class Guard:
    """The parent's side. The guardian leads its own session, so that a Ctrl-C does not reach it."""

    def __init__(self, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.process_guard"],
            cwd=cwd,
            env={"PYTHONPATH": str(cwd)},
            stdin=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        self._watched: set[int] = set()

    def watch_only(self, deaths: Mapping[int, signal.Signals]) -> None:
        """These pids, each with the signal it gets when we die; pids not named any more are forgotten.

        A child that was waited for must be forgotten: its pid may belong to somebody else from then on.
        """
        for pid in self._watched - deaths.keys():
            self._say(f"forget {pid}")
        for pid in deaths.keys() - self._watched:
            self._say(f"watch {pid} {int(deaths[pid])}")
        self._watched = set(deaths)

    def close(self) -> None:
        """Dismisses the guardian: nobody is signalled."""
        self._say("done")
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        if self._process.stdin is None or self._process.poll() is not None:
            return
        try:
            self._process.stdin.write(line + "\n")
        except BrokenPipeError:
            return


def main() -> int:
    """The guardian's side."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    end_all(read_watched(sys.stdin))
    return 0


def read_watched(lines: Iterable[str]) -> dict[int, int]:
    """Who is watched (pid → signal) when the input ends. Lines it does not know are passed over."""
    watched: dict[int, int] = {}
    for line in lines:
        match line.split():
            case ["watch", pid, death]:
                watched[int(pid)] = int(death)
            case ["forget", pid]:
                watched.pop(int(pid), None)
            case ["done"]:
                watched.clear()
    return watched


def end_all(watched: Mapping[int, int]) -> None:
    """Signals everybody, waits up to GRACE_S, then kills who is left."""
    alive = [pid for pid, death in watched.items() if _signal(pid, death)]
    deadline = time.monotonic() + GRACE_S
    while alive and time.monotonic() < deadline:
        time.sleep(POLL_S)
        alive = [pid for pid in alive if _signal(pid, 0)]
    for pid in alive:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> bool:
    """False when there is no such process any more (or it is not ours)."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
