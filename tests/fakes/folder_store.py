"""An object store whose objects are plain files, where the local lake has them: `<root>/lake/<bucket>/<key>`."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from botocore.exceptions import EndpointConnectionError

from adapters.objects import ObjectGone, Stored


class FolderStore:
    """As much of an object store as publishing needs; `calls` has what was done, in order."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "lake"
        self.calls: list[tuple[str, str]] = []

    def put(self, bucket: str, key: str, body: bytes | BinaryIO) -> Stored:
        self._note("put", key)
        content = body if isinstance(body, bytes) else body.read()
        path = self._folder / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return Stored(key, "etag", len(content))

    def head(self, bucket: str, key: str) -> Stored | None:
        path = self._folder / bucket / key
        return Stored(key, "etag", path.stat().st_size) if path.exists() else None

    def get(self, bucket: str, key: str) -> bytes:
        path = self._folder / bucket / key
        if not path.exists():
            raise ObjectGone(key)
        return path.read_bytes()

    def keys(self, bucket: str, prefix: str) -> Iterator[Stored]:
        folder = self._folder / bucket
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            key = str(path.relative_to(folder))
            if key.startswith(prefix):
                yield Stored(key, "etag", path.stat().st_size)

    def delete(self, bucket: str, key: str) -> None:
        self._note("delete", key)
        (self._folder / bucket / key).unlink(missing_ok=True)

    def _note(self, what: str, key: str) -> None:
        self.calls.append((what, key))


class FolderStoreThatFails(FolderStore):
    """Goes away at each call of `what` for a key that ends in `at`."""

    def __init__(self, root: Path, what: str, at: str) -> None:
        super().__init__(root)
        self._fails = what, at

    def _note(self, what: str, key: str) -> None:
        if what == self._fails[0] and key.endswith(self._fails[1]):
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        super()._note(what, key)
