"""The lake as a folder: `lake/<bucket>/<key>` holds each object's bytes, `meta/<bucket>/<key>.json` the rest.

It knows files and names, nothing of S3's protocol. One writer at a time (the caller serialises), one process
per lake (`lock`). What a crash leaves behind is settled here:

- The sidecar is replaced first, then the bytes are renamed into place: that rename is the moment a write counts.
  A sidecar remembers the object it replaces, so a write cut off between the two leaves the old object whole.
- A delete removes the bytes first: that is the moment it counts.
- So after a crash bytes always have their sidecar. Bytes without one were put there by hand: they are not an
  object and are never overwritten.
"""

import fcntl
import itertools
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lakehouse.errors import LakeError, RuntimeFault
from local.lake_pairs import Misfit, StoredObject, files_below, md5_of, read_bucket

log = logging.getLogger(__name__)

MAX_KEY_BYTES = 1024  # S3's own limit
MAX_SEGMENT_BYTES = 250  # 255 is the limit of common file systems; the sidecar adds ".json"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


class LakeFiles:
    """The objects of one lake folder. Not safe for concurrent writers: hold one lock around it."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._lake, self._meta = self.root / "lake", self.root / "meta"
        self._temp = self._meta / ".tmp"  # no bucket name begins with a dot; same file system as the sidecars
        for folder in (self._lake, self._temp):
            folder.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count()
        self._lock_fd = -1

    def lock(self) -> None:
        """Take the lake for this process until it ends, however it ends. RuntimeFault if another has it."""
        self._lock_fd = os.open(self._lake, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeFault(
                f"another local AWS server has the lake {self.root} open: stop it (nexus down) or choose another"
            ) from None

    def make_bucket(self, bucket: str) -> None:
        """Remember a bucket, also while it is empty. Idempotent. LakeError for a name S3 would not take."""
        if not _BUCKET.fullmatch(bucket) or ".." in bucket:
            raise LakeError(
                f"bucket name {bucket!r}: use 3 to 63 lower-case letters, digits, dots and dashes, "
                "a letter or digit at both ends"
            )
        for tree in (self._lake, self._meta):
            (tree / bucket).mkdir(exist_ok=True)

    def remove_bucket(self, bucket: str) -> None:
        """Forget an empty bucket. LakeError if files are left in its folder."""
        try:
            (self._lake / bucket).rmdir()
        except OSError:
            raise LakeError(
                f"{self._lake / bucket} holds files that are no objects: move them away"
            ) from None
        (self._meta / bucket).rmdir()

    def buckets(self) -> list[str]:
        """Names of all buckets, sorted."""
        return sorted(entry.name for entry in os.scandir(self._lake) if _BUCKET.fullmatch(entry.name))

    def path(self, bucket: str, key: str) -> Path:
        """Where an object's bytes are. LakeError, with the reason, for a key that cannot be a file."""
        if len(_utf8(key)) > MAX_KEY_BYTES:
            raise LakeError(f"key is {len(_utf8(key))} bytes long: {MAX_KEY_BYTES} is the limit")
        for segment in key.split("/"):
            if segment in ("", ".", ".."):
                raise LakeError(
                    f"key {key!r} has a segment {segment!r}: objects of a local lake are files of that name"
                )
            if "\0" in segment or len(_utf8(segment)) > MAX_SEGMENT_BYTES:
                raise LakeError(
                    f"key {key[:80]!r}… has a segment that cannot be a file name: "
                    f"at most {MAX_SEGMENT_BYTES} bytes between slashes, no NUL"
                )
        return self._lake / bucket / key

    def write(
        self,
        bucket: str,
        key: str,
        value: bytes,
        *,
        etag: str,
        metadata: Mapping[str, str],
        last_modified: str,
        before: StoredObject | None,
    ) -> StoredObject:
        """Store an object; `before` is the one it replaces. When this returns the write counts.

        LakeError for a key that cannot be stored, OSError when the disk refuses: then nothing has changed.
        """
        path, sidecar = self.path(bucket, key), self._sidecar(bucket, key)
        if before is None and os.path.lexists(path):
            raise LakeError(_in_the_way(path))
        md5 = etag if re.fullmatch(r"[0-9a-f]{32}", etag) else md5_of(value)
        data_temp = self._write_temp(value)
        try:
            mtime_ns = data_temp.stat().st_mtime_ns
            stored = StoredObject(bucket, key, etag, len(value), mtime_ns, md5, last_modified, metadata)
            sidecar_temp = self._write_temp(_sidecar_text(stored, before))
            _move(sidecar_temp, sidecar)
            _move(data_temp, path)
        except OSError as error:
            for leftover in (data_temp, *([sidecar] if before is None else [])):
                _unlink_quietly(leftover)
            if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
                raise LakeError(_in_the_way(path)) from error
            raise
        return stored

    def read(self, stored: StoredObject) -> bytes:
        """The object's bytes. OSError when the file is gone or was changed behind the server's back."""
        path = self.path(stored.bucket, stored.key)
        value = path.read_bytes()
        if len(value) != stored.size:
            raise OSError(f"{path} has {len(value)} bytes, not the {stored.size} that were stored")
        return value

    def delete(self, stored: StoredObject) -> None:
        """Remove an object and the folders it leaves empty. Idempotent."""
        for tree, path in (
            (self._lake, self.path(stored.bucket, stored.key)),
            (self._meta, self._sidecar(stored.bucket, stored.key)),
        ):
            path.unlink(missing_ok=True)
            _prune(path.parent, tree / stored.bucket)

    def load(self, bucket: str) -> Iterator[StoredObject]:
        """Every object of a bucket, in no order. Settles what a crash left and says so in the log."""
        (self._meta / bucket).mkdir(exist_ok=True)
        for found in read_bucket(self.root, bucket):
            if stored := _told(found):
                yield stored

    def clear_temp(self) -> None:
        """Remove half-written files of a process that was killed."""
        for leftover in files_below(self._temp):
            leftover.unlink()

    def _sidecar(self, bucket: str, key: str) -> Path:
        return self._meta / bucket / f"{key}.json"

    def _write_temp(self, content: bytes) -> Path:
        temp = self._temp / str(next(self._numbers))
        try:
            temp.write_bytes(content)
        except OSError:
            _unlink_quietly(temp)
            raise
        return temp


def write_whole(path: Path, text: str) -> None:
    """Replace a small file: a reader or a crash sees the old text or the new, never a part."""
    temp = path.with_name(f".{path.name}.new")
    try:
        temp.write_text(text, "utf-8")
        temp.replace(path)
    except OSError:
        _unlink_quietly(temp)
        raise


def _told(found: StoredObject | Misfit) -> StoredObject | None:
    """The object, or a line in the log; what a cut off write left is removed."""
    if isinstance(found, StoredObject):
        return found
    if found.what == "cut off":
        log.warning("%s; forgotten", found.text)
        found.path.unlink()
    else:
        log.error("%s", found.text)
    return None


def _sidecar_text(stored: StoredObject, before: StoredObject | None) -> bytes:
    entry = {"object": vars(stored), "before": vars(before) if before else None}
    return json.dumps(entry, ensure_ascii=False).encode()


def _move(temp: Path, path: Path) -> None:
    try:
        temp.replace(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        temp.replace(path)


def _prune(folder: Path, bucket_folder: Path) -> None:
    while folder != bucket_folder:
        try:
            folder.rmdir()
        except OSError:  # not empty
            return
        folder = folder.parent


def _in_the_way(path: Path) -> str:
    return (
        f"{path} cannot be written: a file or folder that is not this object stands in the way; move it away"
    )


def _unlink_quietly(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s is left behind: %s", path, error)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise LakeError(f"key {text!r} is not text: UTF-8 cannot hold it") from None
