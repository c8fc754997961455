"""A sidecar and the bytes beside it: which object they make together. Only reads, so it may be asked of a lake in use.

`local.lake_store` writes both and says in which order.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredObject:
    """One object as its sidecar tells it. `etag` has no quotes; `last_modified` is ISO 8601 in UTC.

    `size` and `mtime_ns` tell which of two versions the file is; `md5` decides when the folder was copied.
    """

    bucket: str
    key: str
    etag: str
    size: int
    mtime_ns: int
    md5: str
    last_modified: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Misfit:
    """A sidecar or file that makes no object. `cut off`: an upload or delete that never counted, nothing is lost."""

    path: Path
    what: Literal["unreadable", "foreign", "cut off", "changed", "no sidecar"]
    text: str


def read_pair(sidecar: Path, bucket: str, key: str, path: Path) -> StoredObject | Misfit:
    """The object that a sidecar and the bytes beside it make together, if any."""
    try:
        entry = json.loads(sidecar.read_bytes())
        versions = [
            StoredObject(**version) for version in (entry["object"], entry["before"]) if version is not None
        ]
    except (ValueError, KeyError, TypeError) as error:
        text = f"{sidecar} cannot be read ({error}): its object will not be served"
        return Misfit(sidecar, "unreadable", text)
    if (versions[0].bucket, versions[0].key) != (bucket, key):
        text = f"{sidecar} belongs to {versions[0].bucket}/{versions[0].key}: it will not be served"
        return Misfit(sidecar, "foreign", text)
    try:
        status = path.stat()
    except FileNotFoundError:
        text = f"{sidecar} has no bytes beside it: an upload or delete was cut off, or {path} was removed by hand"
        return Misfit(sidecar, "cut off", text)
    fitting = [v for v in versions if v.size == status.st_size]
    exact = [v for v in fitting if v.mtime_ns == status.st_mtime_ns]
    if len(exact) != 1:  # the folder was copied, or both versions were written in one tick of the clock
        digest = md5_of(path.read_bytes()) if fitting else ""
        exact = [replace(v, mtime_ns=status.st_mtime_ns) for v in fitting if v.md5 == digest]
    if not exact:
        return Misfit(path, "changed", f"{path} is not what was stored under that key: it will not be served")
    if exact[0].etag != versions[0].etag:
        _log.warning("%s: an overwrite was cut off before it counted; the object before it stands", path)
    return exact[0]


def read_bucket(lake: Path, bucket: str, under: str = "") -> Iterator[StoredObject | Misfit]:
    """Every object of a bucket below a folder of it, and everything that makes none, in no order."""
    objects, sidecars = lake / "lake" / bucket, lake / "meta" / bucket
    known = set()
    for sidecar in files_below(sidecars / under):
        key = str(sidecar.relative_to(sidecars)).removesuffix(".json")
        try:
            found = read_pair(sidecar, bucket, key, objects / key)
        except FileNotFoundError:  # deleted in this moment
            continue
        known.add(objects / key)
        yield found
    for path in files_below(objects / under):
        if path not in known and not (sidecars / f"{path.relative_to(objects)}.json").exists():
            yield Misfit(path, "no sidecar", f"{path} has no sidecar: it is not an object of the lake")


def files_below(folder: Path) -> Iterator[Path]:
    """All files, however deep."""
    for where, _, names in os.walk(folder):
        for name in names:
            yield Path(where, name)


def md5_of(value: bytes) -> str:
    """What S3 gives as ETag for an object written in one piece."""
    return hashlib.md5(value, usedforsecurity=False).hexdigest()
