"""Object stores in memory with S3's conditional writes, and some that fail in one named way."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

from botocore.exceptions import ClientError, EndpointConnectionError

from adapters.objects import ObjectGone, Stored

Body = bytes | BinaryIO


class FakeObjectStore:
    """Objects of all buckets in memory; any bucket exists. Passes the suite of `adapters.objects.ObjectStore`."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], tuple[bytes, Stored]] = {}
        self._lock = threading.Lock()
        self.parts: dict[str, dict[int, bytes]] = {}  # of uploads that are neither complete nor dropped

    def put_new(self, bucket: str, key: str, body: Body, metadata: Mapping[str, str] = {}) -> Stored | None:
        with self._lock:
            return None if (bucket, key) in self._objects else self._put(bucket, key, body, metadata)

    def put(self, bucket: str, key: str, body: Body, metadata: Mapping[str, str] = {}) -> Stored:
        with self._lock:
            return self._put(bucket, key, body, metadata)

    def _put(self, bucket: str, key: str, body: Body, metadata: Mapping[str, str]) -> Stored:
        if not isinstance(body, bytes):
            body.seek(0)
            body = body.read()
        etag = hashlib.md5(body).hexdigest()
        stored = Stored(key, etag, len(body), {k.lower(): v for k, v in metadata.items()})
        self._objects[bucket, key] = body, stored
        return stored

    def head(self, bucket: str, key: str) -> Stored | None:
        found = self._objects.get((bucket, key))
        return found[1] if found else None

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        found = self._objects.get((bucket, key))
        if found is None or etag not in (None, found[1].etag):
            raise ObjectGone(f"s3://{bucket}/{key} is gone or was replaced (wanted ETag {etag})")
        return found[0]

    def get_range(self, bucket: str, key: str, etag: str, start: int, length: int) -> bytes:
        return self.get(bucket, key, etag)[start : start + length]

    def start_parts(self, bucket: str, key: str) -> str:
        with self._lock:
            upload = f"upload-{len(self.parts)}"
            self.parts[upload] = {}
            return upload

    def put_part(self, bucket: str, key: str, upload: str, number: int, body: bytes) -> str:
        with self._lock:
            self.parts[upload][number] = body
            return hashlib.md5(body).hexdigest()

    def finish_parts(self, bucket: str, key: str, upload: str, etags: Sequence[str]) -> None:
        with self._lock:
            parts = self.parts.pop(upload)
            body = b"".join(parts[number] for number in range(1, len(etags) + 1))
            self._put(bucket, key, body, {})

    def drop_parts(self, bucket: str, key: str, upload: str) -> None:
        with self._lock:
            self.parts.pop(upload, None)

    def tail(self, bucket: str, key: str, size: int) -> bytes:
        return self.get(bucket, key)[-size:]

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        with self._lock:
            found = sorted(
                k for b, k in self._objects if b == bucket and k.startswith(prefix) and k > start_after
            )
            listed = [self._objects[bucket, key][1] for key in found]
        for stored in listed:
            yield Stored(stored.key, stored.etag, stored.size)

    def delete(self, bucket: str, key: str) -> None:
        with self._lock:
            self._objects.pop((bucket, key), None)


class StoreThatIsAway(FakeObjectStore):
    """Answers nothing while `away` is set, or for the next `failures` calls."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.away = False
        self.failures = failures

    def _fail(self) -> None:
        if self.away or self.failures > 0:
            self.failures -= 1
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    def put_new(self, bucket: str, key: str, body: Body, metadata: Mapping[str, str] = {}) -> Stored | None:
        self._fail()
        return super().put_new(bucket, key, body, metadata)

    def head(self, bucket: str, key: str) -> Stored | None:
        self._fail()
        return super().head(bucket, key)

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        self._fail()
        return super().get(bucket, key, etag)

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        self._fail()
        return super().keys(bucket, prefix, start_after)


class StoreThatLosesAnswers(FakeObjectStore):
    """Writes the object, but the answer to every `every`-th first write of a key never comes."""

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        self._every, self._writes = every, 0

    def put_new(self, bucket: str, key: str, body: Body, metadata: Mapping[str, str] = {}) -> Stored | None:
        stored = super().put_new(bucket, key, body, metadata)
        if stored is not None:
            self._writes += 1
            if self._writes % self._every == 0:
                raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return stored


class StoreWithoutBucket(FakeObjectStore):
    """Every write is refused as S3 does when the bucket does not exist."""

    def put_new(self, bucket: str, key: str, body: Body, metadata: Mapping[str, str] = {}) -> Stored | None:
        error = {"Error": {"Code": "NoSuchBucket", "Message": "The specified bucket does not exist"}}
        raise ClientError(error, "PutObject")


class StoreInterrupted(FakeObjectStore):
    """Calls `between(what, key)` before each read or write: whoever is simulated there acts in that moment."""

    def __init__(self, between: Callable[[str, str], None] = lambda what, key: None) -> None:
        super().__init__()
        self.between = between

    def put_new(self, bucket: str, key: str, body: Body, metadata: Mapping[str, str] = {}) -> Stored | None:
        self.between("put", key)
        return super().put_new(bucket, key, body, metadata)

    def head(self, bucket: str, key: str) -> Stored | None:
        self.between("head", key)
        return super().head(bucket, key)
