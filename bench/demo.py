"""The demo as a person runs it: wall time and memory of the whole tree of processes, as shares of what is promised.

python -m bench.demo            OLIST_DATA=folder adds the real files
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

SECONDS = {"generated shop": 45.0, "real Olist files": 90.0}
MEMORY_GB = 2.5
_LOOK_EVERY_S = 0.2  # a peak that lasts shorter is not what makes a laptop swap


def tree_memory(pid: int) -> int:
    """Bytes that the process and its descendants hold, shared pages counted once (PSS)."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue
    except psutil.NoSuchProcess:
        pass
    return total


def run(arguments: list[str]) -> tuple[float, int]:
    """Seconds and peak bytes of one demo on a new lake."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "local", "--lake", str(Path(folder) / "lake"), "demo", *arguments]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        peak, ended = 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(_LOOK_EVERY_S):
                peak = max(peak, tree_memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, errors = process.communicate()
        seconds = time.monotonic() - began
        ended.set()
        watcher.join()
        if process.returncode:
            raise SystemExit(errors)
    return seconds, peak


def main() -> int:
    """Prints one line per shop; 1 when a promise is broken."""
    shops: dict[str, list[str]] = {"generated shop": []}
    if "OLIST_DATA" in os.environ:
        shops["real Olist files"] = ["--data", os.environ["OLIST_DATA"]]
    kept = True
    for name, arguments in shops.items():
        seconds, peak = run(arguments)
        gigabytes = peak / 2**30
        kept &= seconds <= SECONDS[name] and gigabytes <= MEMORY_GB
        print(
            f"{name}: {seconds:.1f} s, {seconds / SECONDS[name]:.2f} of {SECONDS[name]:.0f} s; "
            f"peak {gigabytes:.2f} GB, {gigabytes / MEMORY_GB:.2f} of {MEMORY_GB} GB"
        )
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
