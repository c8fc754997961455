"""A build of Gold in a process of its own that dies by SIGKILL at a moment its store is told.

python -m tests.flow.struck_model ROOT BUILD WHEN KEY    WHEN: before or after the put of a key that ends in KEY
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from adapters.objects import Stored
from local.model import refresh_gold
from tests.fakes.folder_store import FolderStore

BUCKET = "olist-data-lake-gold"
AT = datetime(2026, 11, 2, 13, tzinfo=UTC)


class StoreThatStrikes(FolderStore):
    """Kills its process before or after it puts a certain object."""

    def __init__(self, root: Path, when: str, key: str) -> None:
        super().__init__(root)
        self.when, self.ending = when, key

    def put(self, bucket: str, key: str, body: bytes | BinaryIO) -> Stored:
        if self.when == "before" and key.endswith(self.ending):
            os.kill(os.getpid(), signal.SIGKILL)
        stored = super().put(bucket, key, body)
        if self.when == "after" and key.endswith(self.ending):
            os.kill(os.getpid(), signal.SIGKILL)
        return stored


def silver_files(root: Path) -> dict[str, list[Path]]:
    """What lies in the Silver folder of the root, by entity."""
    found: dict[str, list[Path]] = {}
    for path in sorted((root / "silver").rglob("*.parquet")):
        found.setdefault(path.relative_to(root / "silver").parts[0], []).append(path)
    return found


if __name__ == "__main__":
    root, build, when, key = Path(sys.argv[1]), *sys.argv[2:]
    refresh_gold(
        silver_files(root),
        root / "model",
        StoreThatStrikes(root, when, key),
        BUCKET,
        build,
        AT,
        lambda *_: None,
    )
