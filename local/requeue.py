"""Previews and replays of Quarantine on this machine: what the deployed function does, in a command's process."""

import getpass
import hashlib
from datetime import UTC, datetime
from pathlib import Path

from adapters.ledger import Ledger
from adapters.objects import ObjectStore, Stored
from lakehouse.catalog import Entity, load_entities
from lakehouse.edits import Edits, Note, read_edits
from lakehouse.errors import InputError, RuntimeFault
from lakehouse.paths import edits_key
from lambdas.requeue_quarantine.requeue import Requeue
from local.folder_lake import FolderLake
from local.lake import Lake
from local.runtime import attach, require


class _LakeToLookAt(FolderLake):
    """A lake that nothing runs."""

    def put(self, bucket: str, key: str, body: bytes) -> Stored:  # noqa: ARG002 - as the store has it
        raise RuntimeFault(
            f"Nothing runs the lake: {bucket}/{key} cannot be written. Start it with `nexus up`."
        )


def previews(lake: Lake, ledger: Ledger) -> Requeue:
    """For looking, whether or not the lake is running."""
    running = attach(lake.root)
    store = ObjectStore.connect(running.aws_url, running.region) if running else _LakeToLookAt(lake.root)
    return Requeue(store, ledger, lake.buckets, load_entities(), _now)


def replays(lake: Lake, ledger: Ledger) -> Requeue:
    """For moving rows; NotRunning when nothing runs the lake."""
    running = require(lake.root)
    store = ObjectStore.connect(running.aws_url, running.region)
    return Requeue(store, ledger, lake.buckets, load_entities(), _now)


def edits_of(file: Path, entity: Entity) -> Edits:
    """The edits of a file that stays where it is."""
    data = _read(file)
    try:
        return read_edits(data, entity, Note("", "", str(file)))
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def upload_edits(lake: Lake, file: Path, entity: Entity, by: str) -> str:
    """Puts the file into the lake, for ever; its key. The same file again is the object that stands there."""
    data = _read(file)
    edits_of(file, entity)
    running = require(lake.root)
    key = edits_key(entity.name, hashlib.sha256(data).hexdigest(), parquet=data[:4] == b"PAR1")
    store = ObjectStore.connect(running.aws_url, running.region)
    store.put_new(lake.buckets.quarantine, key, data, {"by": by or getpass.getuser()})
    return key


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): give a CSV or Parquet file.") from error


def _now() -> datetime:
    return datetime.now(UTC)
