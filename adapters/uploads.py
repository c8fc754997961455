"""Objects that are written as they grow: nobody sees one before it is complete, and then all of it."""

import io
from collections.abc import Sequence
from typing import Any, Protocol

# S3 takes 5 MiB to 5 GiB as a part, and 10,000 parts: 80 GB in all. Two outputs hold one each in memory.
PART_BYTES = 8 * 2**20


class PartStore(Protocol):
    """The part of `adapters.objects.ObjectStore` that uploads need."""

    def put(self, bucket: str, key: str, body: bytes) -> Any:
        """Writes an object in one piece."""

    def start_parts(self, bucket: str, key: str) -> str:
        """Begins an object in parts; the upload's id."""

    def put_part(self, bucket: str, key: str, upload: str, number: int, body: bytes) -> str:
        """Writes a part, from 1; its ETag. Again is harmless."""

    def finish_parts(self, bucket: str, key: str, upload: str, etags: Sequence[str]) -> None:
        """Makes the object of its parts, over whatever stands there."""

    def drop_parts(self, bucket: str, key: str, upload: str) -> None:
        """Forgets the parts."""


class Upload(io.RawIOBase):
    """A file to write into; it becomes an object by `complete`. One that fits into a part is put in one piece.

    The parts of a process that died stay invisible, until the bucket's lifecycle removes them.
    """

    def __init__(self, store: PartStore, bucket: str, key: str) -> None:
        super().__init__()
        self._store, self._place = store, (bucket, key)
        self._waiting, self._etags, self._id, self._over = bytearray(), list[str](), "", False
        self.size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """More bytes at its end. After `complete` or `abort` they are dropped: a Parquet writer closes itself late."""
        length = memoryview(data).nbytes
        if self._over:
            return length
        self._waiting += data
        self.size += length
        while len(self._waiting) > PART_BYTES:
            self._put_part(bytes(self._waiting[:PART_BYTES]))
            del self._waiting[:PART_BYTES]
        return length

    def complete(self) -> None:
        """Makes the object, over whatever stands there."""
        self._over = True
        if not self._id:
            self._store.put(*self._place, bytes(self._waiting))
            return
        self._put_part(bytes(self._waiting))
        self._store.finish_parts(*self._place, self._id, self._etags)

    def abort(self) -> None:
        """Nothing of it stays."""
        self._over = True
        if self._id:
            self._store.drop_parts(*self._place, self._id)

    def _put_part(self, body: bytes) -> None:
        self._id = self._id or self._store.start_parts(*self._place)
        self._etags.append(self._store.put_part(*self._place, self._id, len(self._etags) + 1, body))
