"""Brings Gold to what is committed in Silver: what to read, dbt, publish, keep. A build that fails changes nothing."""

import fcntl
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.catalog import load_entities
from lakehouse.errors import InputError, LakeError, RuntimeFault
from lakehouse.paths import OutputKey
from local.dbt_build import Progress, contract_findings, dbt_built, models_digest
from local.gold import Finding, PublishedGold
from local.gold_files import write_tables
from local.kept_gold import KeptGold, keep_full, keep_increment, read_kept
from local.publish import (
    BUILDS,
    BuildResult,
    GoldStore,
    publish,
    published_before,
    remove_old_files,
    require_build_id,
)

log = logging.getLogger(__name__)


class GoldBusy(RuntimeFault):
    """Another process builds this Gold."""


_FILE_LIST = pa.schema([pa.field("entity", pa.string()), pa.field("path", pa.string())])


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
    A failed build changes neither what is published nor what counts as read. To be called `alone_in` the work folder,
    in which all is written besides the bucket. LakeError when a file is missing, ModelFailed when a model or test
    fails. `leave_out` (dbt selectors) is for measuring: those tables stay as they were published until a build makes
    them.
    """
    work_dir = work_dir.absolute()
    files = {entity: [path.absolute() for path in paths] for entity, paths in sorted(silver_files.items())}
    silver = {entity: sorted(map(_silver_key, paths)) for entity, paths in files.items()}
    _require_entities(files)
    work_dir.mkdir(parents=True, exist_ok=True)
    before = published_before(store, bucket)
    kept = None if full else _kept_that_fits(work_dir, store, bucket, before, silver)
    plan = _plan(files, kept)
    if kept and before and before.build == kept.published.build and not any(plan.files.values()):
        return before
    require_build_id(build_id, before)
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
    remove_old_files(store, bucket, published, before)
    return published


def judge_silver(
    silver_files: Mapping[str, Sequence[Path]], work_dir: Path, progress: Progress
) -> tuple[Finding, ...]:
    """Tests these Silver files by the rules of their contracts, as another engine than the check hop reads them.

    What rules of severity warn find; SilverBroken for the others. The rows are kept in `work_dir`/found. One at a time
    per work folder, which must not be that of Gold: RuntimeFault when another is under way.
    """
    work_dir = work_dir.absolute()
    files = {entity: [path.absolute() for path in paths] for entity, paths in sorted(silver_files.items())}
    _require_entities(files)
    with alone_in(work_dir, waits=False):
        _require_files(files)
        _prepare(work_dir, work_dir / "export", files)
        return contract_findings(work_dir, progress)


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
    listed = {stored.key for stored in store.keys(bucket, BUILDS)}
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
def alone_in(work_dir: Path, *, waits: bool = True) -> Iterator[None]:
    """Holds the work folder; the kernel gives it back when the process ends, however it ends.

    While another process holds it: waits for that process, or else GoldBusy. What is committed must be asked for in
    the block: the other one may have read more than was there before.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    with (work_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            raise GoldBusy("Gold is being built by another process: wait until it is done.") from None
        yield
