"""Publishes a build: its new files, then the manifest that names them all; old files go last."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from adapters.objects import STORE_ERRORS
from lakehouse.errors import LakeError
from lakehouse.paths import PUBLISHED_GOLD, gold_table_key
from local.gold import Finding, PublishedFile, PublishedGold, PublishedTable
from local.gold_files import BuiltTable

log = logging.getLogger(__name__)

_BUILD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", re.ASCII)
BUILDS = "builds/"  # prefix of every published file


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
    before = published_before(store, bucket)
    require_build_id(build_id, before)
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
    if base:  # what a build left out stays as it was
        tables = {**base.tables, **tables}
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


def require_build_id(build_id: str, before: PublishedGold | None) -> None:
    """LakeError for what is no id, or the one published: a build id serves once."""
    if not _BUILD_ID.fullmatch(build_id):
        raise LakeError(f"build id {build_id!r}: use 1 to 63 letters, digits and dashes")
    if before and before.build == build_id:
        raise LakeError(f"build {build_id} is published already: published files are never rewritten")


def published_before(store: GoldStore, bucket: str) -> PublishedGold | None:
    """What is published now; None when nothing is, or its manifest is broken and about to be replaced."""
    if store.head(bucket, PUBLISHED_GOLD) is None:
        return None
    try:
        return PublishedGold.from_text(store.get(bucket, PUBLISHED_GOLD))
    except LakeError as error:
        log.warning("%s", error)
        return None


def remove_old_files(
    store: GoldStore, bucket: str, published: PublishedGold, before: PublishedGold | None
) -> None:
    """All that the last two manifests do not name, also what a publication cut off has left.

    What cannot be removed now goes with the next publication.
    """
    named = {
        key for gold in (published, before) if gold for table in gold.tables.values() for key in table.keys
    }
    try:
        for stored in list(store.keys(bucket, BUILDS)):
            if stored.key not in named:
                store.delete(bucket, stored.key)
    except STORE_ERRORS as error:
        log.warning("files of builds before the last two stay for now: %s", error)
