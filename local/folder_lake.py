"""Reads the lake's folder as an object store, whether or not its server runs: `ObjectStore`'s reading half."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from adapters.objects import ObjectGone, Stored
from lakehouse.errors import LakeError
from local.lake_pairs import Misfit, StoredObject, read_bucket, read_pair

_USER = "x-amz-meta-"


class FolderLake:
    """Objects of the lake in `root`. Listings carry metadata too: it stands in the sidecar that they read anyway."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        if not (self._root / "lake").is_dir():
            raise LakeError(f"there is no lake in {self._root}: give the folder that holds `lake` and `meta`")

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        """Objects under a prefix in key order, behind `start_after`."""
        found = [
            _stored(pair)
            for pair in read_bucket(self._root, bucket, prefix.rpartition("/")[0])
            if isinstance(pair, StoredObject) and pair.key.startswith(prefix) and pair.key > start_after
        ]
        yield from sorted(found, key=lambda stored: stored.key)

    def misfits(self, buckets: Iterable[str]) -> list[Misfit]:
        """Files that nobody serves, since they make no object. Leftovers of a cut-off write are left out."""
        found = [pair for bucket in buckets for pair in read_bucket(self._root, bucket)]
        return [pair for pair in found if isinstance(pair, Misfit) and pair.what != "cut off"]

    def head(self, bucket: str, key: str) -> Stored | None:
        """The object without its bytes; None when there is none."""
        try:
            pair = read_pair(self._sidecar(bucket, key), bucket, key, self._file(bucket, key))
        except FileNotFoundError:
            return None
        return _stored(pair) if isinstance(pair, StoredObject) else None

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """The object's bytes; ObjectGone when it is gone or has another ETag."""
        found = self.head(bucket, key)
        if found is None or etag not in (None, found.etag):
            raise ObjectGone(f"{bucket}/{key} is gone or was replaced (wanted ETag {etag})")
        return self.tail(bucket, key, found.size)

    def tail(self, bucket: str, key: str, size: int) -> bytes:
        """The object's last bytes, all of them if it is smaller; ObjectGone when it is gone."""
        try:
            with self._file(bucket, key).open("rb") as file:
                length = file.seek(0, 2)
                file.seek(max(0, length - size))
                return file.read()
        except FileNotFoundError:
            raise ObjectGone(f"{bucket}/{key} is gone") from None

    def _file(self, bucket: str, key: str) -> Path:
        return self._root / "lake" / bucket / key

    def _sidecar(self, bucket: str, key: str) -> Path:
        return self._root / "meta" / bucket / f"{key}.json"


def _stored(pair: StoredObject) -> Stored:
    metadata = {k.removeprefix(_USER): v for k, v in pair.metadata.items() if k.startswith(_USER)}
    modified = datetime.fromisoformat(pair.last_modified)
    return Stored(pair.key, pair.etag, pair.size, metadata, modified.replace(tzinfo=UTC))
