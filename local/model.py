"""Builds Gold from committed Silver with dbt and publishes it; a build that fails publishes nothing."""

import fcntl
import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.objects import STORE_ERRORS
from lakehouse.catalog import load_entities
from lakehouse.errors import InputError, LakeError, RuntimeFault
from lakehouse.paths import PUBLISHED_GOLD, OutputKey, gold_table_key
from local.dbt_build import Progress, run_dbt
from local.gold import Finding, ModelDoc, PublishedGold, PublishedTable

log = logging.getLogger(__name__)

_FILE_LIST = pa.schema([pa.field("entity", pa.string()), pa.field("path", pa.string())])
_BUILD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", re.ASCII)
_BUILDS = "builds/"


class Listed(Protocol):
    """An object in a listing."""

    @property
    def key(self) -> str:
        """Key in its bucket."""


class GoldStore(Protocol):
    """What publishing needs of an object store."""

    def put(self, bucket: str, key: str, body: bytes | BinaryIO, /) -> object:
        """Writes the object over whatever stands there."""

    def head(self, bucket: str, key: str, /) -> object | None:
        """None when there is no such object."""

    def get(self, bucket: str, key: str, /) -> bytes:
        """The object's bytes."""

    def keys(self, bucket: str, prefix: str, /) -> Iterable[Listed]:
        """Objects under a prefix."""

    def delete(self, bucket: str, key: str, /) -> None:
        """Removes the object."""


@dataclass(frozen=True)
class BuiltTable:
    """One exported table, a Parquet file in the work folder."""

    doc: ModelDoc
    path: Path
    rows: int


@dataclass(frozen=True)
class BuildResult:
    """A build whose every model and test passed, ready to be published until the next build in its work folder."""

    tables: tuple[BuiltTable, ...]
    findings: tuple[Finding, ...]
    silver: Mapping[str, Sequence[str]]  # keys by entity


def refresh_gold(
    silver_files: Mapping[str, Sequence[Path]],
    work_dir: Path,
    store: GoldStore,
    bucket: str,
    build_id: str,
    at: datetime,
    progress: Progress,
) -> PublishedGold:
    """Builds and publishes, one at a time per work folder; RuntimeFault when another refresh is under way."""
    with _alone_in(work_dir):
        published = publish(build_gold(silver_files, work_dir, progress), store, bucket, build_id, at)
        shutil.rmtree(work_dir / "export", ignore_errors=True)  # the lake has these files now
    return published


def build_gold(silver_files: Mapping[str, Sequence[Path]], work_dir: Path, progress: Progress) -> BuildResult:
    """Builds all of Gold from exactly these Silver files, by entity; an entity without files is empty.

    Each path ends in its Silver key. The same rows in other files or another order give the same tables. Everything
    that is written is below `work_dir`. LakeError when a file is missing, ModelFailed when a model or test fails.
    """
    work_dir = work_dir.absolute()
    files = {entity: [path.absolute() for path in paths] for entity, paths in sorted(silver_files.items())}
    _require_files(files)
    silver = {entity: sorted(map(_silver_key, paths)) for entity, paths in files.items()}
    export = work_dir / "export"
    _prepare(work_dir, export, files)
    try:
        outcome = run_dbt(work_dir, progress)
    finally:
        shutil.rmtree(work_dir / "spill", ignore_errors=True)
    tables = []
    for doc in outcome.published:
        path = export / f"{doc.name}.parquet"
        tables.append(BuiltTable(doc, path, pq.read_metadata(path).num_rows))
    return BuildResult(tuple(tables), outcome.findings, silver)


def publish(result: BuildResult, store: GoldStore, bucket: str, build_id: str, at: datetime) -> PublishedGold:
    """Puts the tables under `builds/<build id>/`, swaps `published.json`, then removes all but the last two builds.

    Readers see the old Gold until the swap and the new one after it. A build id serves once: LakeError when it is the
    one published. `at` is UTC.
    """
    if not _BUILD_ID.fullmatch(build_id):
        raise LakeError(f"build id {build_id!r}: use 1 to 63 letters, digits and dashes")
    before = _published_before(store, bucket)
    if before == build_id:
        raise LakeError(f"build {build_id} is published already: published files are never rewritten")
    tables = {}
    for table in result.tables:
        key = gold_table_key(build_id, table.doc.name)
        with table.path.open("rb") as body:
            store.put(bucket, key, body)
        size = table.path.stat().st_size
        tables[table.doc.name] = PublishedTable(
            key, table.rows, size, table.doc.description, table.doc.columns
        )
    published = PublishedGold(
        build_id, before, at.isoformat(timespec="seconds"), result.silver, result.findings, tables
    )
    store.put(bucket, PUBLISHED_GOLD, published.to_text().encode())
    _remove_old_builds(store, bucket, {build_id, before})
    return published


def _published_before(store: GoldStore, bucket: str) -> str | None:
    """The build now published; None when there is none, or its manifest is broken and about to be replaced."""
    if store.head(bucket, PUBLISHED_GOLD) is None:
        return None
    try:
        return PublishedGold.from_text(store.get(bucket, PUBLISHED_GOLD)).build
    except LakeError as error:
        log.warning("%s", error)
        return None


def _remove_old_builds(store: GoldStore, bucket: str, kept: set[str | None]) -> None:
    """Also what a publication cut off has left. What cannot be removed now goes with the next publication."""
    try:
        for stored in list(store.keys(bucket, _BUILDS)):
            if stored.key.removeprefix(_BUILDS).split("/", 1)[0] not in kept:
                store.delete(bucket, stored.key)
    except STORE_ERRORS as error:
        log.warning("builds before the last two stay for now: %s", error)


def _require_files(files: Mapping[str, Sequence[Path]]) -> None:
    unknown = sorted(files.keys() - load_entities().keys())
    if unknown:
        raise InputError(f"{unknown[0]} is not an entity of the lake; known are {', '.join(load_entities())}")
    missing = [path for paths in files.values() for path in paths if not path.is_file()]
    if missing:
        raise LakeError(
            f"{len(missing)} Silver file(s) are missing, the first is {missing[0]}. "
            "The ledger holds them as committed: run `nexus ledger` to see what the lake has lost."
        )


def _silver_key(path: Path) -> str:
    """The key is the end of the path: entity, version, year, month, day, name."""
    return str(OutputKey.parse("/".join(path.parts[-6:])))


def _prepare(work_dir: Path, export: Path, files: Mapping[str, Sequence[Path]]) -> None:
    rows = [{"entity": entity, "path": str(path)} for entity, paths in files.items() for path in paths]
    try:
        shutil.rmtree(export, ignore_errors=True)
        export.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=_FILE_LIST), work_dir / "silver_files.parquet")
    except OSError as error:
        raise RuntimeFault(
            f"{work_dir} cannot be written ({error}): free space or make it writable."
        ) from error


@contextmanager
def _alone_in(work_dir: Path) -> Iterator[None]:
    """Holds the work folder; the kernel gives it back when the process ends, however it ends."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with (work_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeFault("Gold is being built by another process: wait until it is done.") from None
        yield
