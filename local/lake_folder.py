"""Whether a folder can hold a lake, asked before anything is started."""

import os
import shutil
from pathlib import Path

from lakehouse.errors import RuntimeFault

# The embedded PostgreSQL takes 40 MB and up to 256 MB of log, the demo shop's lake 100 MB.
MIN_FREE_BYTES = 512 * 1024 * 1024


def prepare_folder(lake: Path, min_free: int = MIN_FREE_BYTES) -> None:
    """Makes the lake's folders. RuntimeFault when they cannot be written or the disk is nearly full."""
    try:
        (lake / "run" / "logs").mkdir(parents=True, exist_ok=True)
        (lake / "run").chmod(0o700)  # state.json holds the ledger's password
        probe = lake / "run" / f"probe-{os.getpid()}"
        probe.write_bytes(bytes(4096))
        probe.unlink()
        free = shutil.disk_usage(lake).free
    except OSError as error:
        raise RuntimeFault(
            f"The lake {lake} cannot be written ({error.strerror}). "
            "Give a folder you may write, on a disk with room, with --lake."
        ) from error
    if free < min_free:
        raise RuntimeFault(
            f"Only {free // 2**20} MB are free for the lake {lake}; {min_free // 2**20} MB are needed to start. "
            "Free some space, or give a folder on another disk with --lake."
        )
