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
from typing import BinaryIO, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.objects import STORE_ERRORS
from lakehouse.catalog import load_entities
from lakehouse.errors import InputError, LakeError, RuntimeFault
from lakehouse.paths import PUBLISHED_GOLD, OutputKey, gold_table_key
from local.dbt_build import Progress, dbt_built
from local.gold import Finding, PublishedFile, PublishedGold, PublishedTable
from local.gold_files import BuiltTable, write_tables
from local.kept_gold import KeptGold, keep_full, keep_increment, models_digest, read_kept

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
class BuildResult:
    """A build whose every model and test passed, ready to be published."""

    tables: tuple[BuiltTable, ...]
    findings: tuple[Finding, ...]
    silver: Mapping[str, Sequence[str]]  # keys by entity


class _Plan(NamedTuple):
    """What a build reads: all Silver there is, or what is not yet in `kept`."""

    kept: KeptGold | None
    files: Mapping[str, Sequence[Path]]


def refresh_gold(
    silver_files: Mapping[str, Sequence[Path]],
    work_dir: Path,
    store: GoldStore,
    bucket: str,
    build_id: str,
    at: datetime,
    progress: Progress,
    *,
    full: bool = False,
    leave_out: Sequence[str] = (),
) -> PublishedGold:
    """Brings Gold to exactly these Silver files (by entity; each path ends in its Silver key) and publishes it.

    Adds the files that the build before has not read, or builds in full when asked to or when there is nothing to add
    to; either way gives the same tables, for any split and order of the rows. Nothing new: what is published stays.
    A failed build changes neither what is published nor what counts as read. One at a time per work folder:
    RuntimeFault when another refresh is under way. LakeError when a file is missing, ModelFailed when a model or test
    fails. Everything that is written besides the bucket is below `work_dir`.
    """
    work_dir = work_dir.absolute()
    files = {entity: [path.absolute() for path in paths] for entity, paths in sorted(silver_files.items())}
    silver = {entity: sorted(map(_silver_key, paths)) for entity, paths in files.items()}
    _require_entities(files)
    with _alone_in(work_dir):
        before = _published_before(store, bucket)
        kept = None if full else _kept_that_fits(work_dir, store, bucket, before, silver)
        plan = _plan(files, kept)
        if kept and before and before.build == kept.published.build and not any(plan.files.values()):
            return before
        _require_build_id(build_id, before)
        _require_files(plan.files)
        export = work_dir / "export"
        _prepare(work_dir, export, plan.files)
        try:
            with dbt_built(work_dir, progress, full=kept is None, leave_out=leave_out) as built:
                tables = write_tables(built, export, full=kept is None)
                result = BuildResult(tables, built.findings, silver)
                published = publish(result, store, bucket, build_id, at, kept.published if kept else None)
                if kept:
                    keep_increment(built, published)
                else:
                    keep_full(built, published, work_dir)
        finally:
            shutil.rmtree(work_dir / "spill", ignore_errors=True)
            shutil.rmtree(export, ignore_errors=True)  # the lake has these files now, or nobody will
        _remove_old_files(store, bucket, published, before)
    return published


def _kept_that_fits(
    work_dir: Path,
    store: GoldStore,
    bucket: str,
    before: PublishedGold | None,
    silver: Mapping[str, Sequence[str]],
) -> KeptGold | None:
    """What can be added to, or None with the reason in the log.

    A build that was killed between its publication and the end of its work is the one published, and the one before it
    is kept: the same files are read again, to the same end.
    """
    kept = read_kept(work_dir)
    if kept is None:
        return None
    gone = kept.silver - {key for keys in silver.values() for key in keys}
    listed = {stored.key for stored in store.keys(bucket, _BUILDS)}
    lost = [key for table in kept.published.tables.values() for key in table.keys if key not in listed]
    if kept.models != models_digest():
        reason = "the models have changed"
    elif before is None or kept.published.build not in (before.build, before.previous):
        reason = "what is published was not made from what is kept"
    elif gone:
        reason = (
            f"{len(gone)} Silver objects it was made of are no longer committed, the first is {min(gone)}"
        )
    elif lost:
        reason = f"{lost[0]} is published but missing"
    else:
        return kept
    log.info("Gold is built in full: %s", reason)
    return None


def _plan(files: Mapping[str, Sequence[Path]], kept: KeptGold | None) -> _Plan:
    read = kept.silver if kept else set()
    return _Plan(
        kept,
        {entity: [p for p in paths if _silver_key(p) not in read] for entity, paths in files.items()},
    )


def publish(
    result: BuildResult,
    store: GoldStore,
    bucket: str,
    build_id: str,
    at: datetime,
    base: PublishedGold | None = None,
) -> PublishedGold:
    """Puts the files that are new under `builds/<build id>/`, then swaps `published.json`.

    Readers see the old Gold until the swap and the new one after it. `base` has the files of unchanged parts; a file
    that comes out byte by byte as there is shared too. `at` is UTC.
    """
    before = _published_before(store, bucket)
    _require_build_id(build_id, before)
    tables = {}
    for table in result.tables:
        shared = base.tables[table.doc.name].files if base and table.doc.name in base.tables else {}
        files = {part: shared[part] for part in table.unchanged}
        for part, file in table.files.items():
            if part in shared and shared[part].digest == file.digest:
                files[part] = shared[part]
                continue
            key = gold_table_key(build_id, table.doc.name, part)
            with file.path.open("rb") as body:
                store.put(bucket, key, body)
            files[part] = PublishedFile(key, file.rows, file.path.stat().st_size, file.digest)
        tables[table.doc.name] = PublishedTable(
            dict(sorted(files.items())), table.doc.description, table.doc.columns
        )
    published = PublishedGold(
        build_id,
        before.build if before else None,
        at.isoformat(timespec="seconds"),
        result.silver,
        result.findings,
        tables,
    )
    store.put(bucket, PUBLISHED_GOLD, published.to_text().encode())
    return published


def _require_build_id(build_id: str, before: PublishedGold | None) -> None:
    if not _BUILD_ID.fullmatch(build_id):
        raise LakeError(f"build id {build_id!r}: use 1 to 63 letters, digits and dashes")
    if before and before.build == build_id:
        raise LakeError(f"build {build_id} is published already: published files are never rewritten")


def _published_before(store: GoldStore, bucket: str) -> PublishedGold | None:
    """What is published now; None when nothing is, or its manifest is broken and about to be replaced."""
    if store.head(bucket, PUBLISHED_GOLD) is None:
        return None
    try:
        return PublishedGold.from_text(store.get(bucket, PUBLISHED_GOLD))
    except LakeError as error:
        log.warning("%s", error)
        return None


def _remove_old_files(
    store: GoldStore, bucket: str, published: PublishedGold, before: PublishedGold | None
) -> None:
    """All that the last two manifests do not name, also what a publication cut off has left.

    What cannot be removed now goes with the next publication.
    """
    named = {
        key for gold in (published, before) if gold for table in gold.tables.values() for key in table.keys
    }
    try:
        for stored in list(store.keys(bucket, _BUILDS)):
            if stored.key not in named:
                store.delete(bucket, stored.key)
    except STORE_ERRORS as error:
        log.warning("files of builds before the last two stay for now: %s", error)


def _require_entities(files: Mapping[str, Sequence[Path]]) -> None:
    unknown = sorted(files.keys() - load_entities().keys())
    if unknown:
        raise InputError(f"{unknown[0]} is not an entity of the lake; known are {', '.join(load_entities())}")


def _require_files(files: Mapping[str, Sequence[Path]]) -> None:
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
