"""moto's S3 made to last: every change is in the lake's folder before it is visible or answered.

One request at a time (moto is bound by the interpreter lock anyway), so that If-None-Match is exact. Not kept
over a restart: tags, ACLs, checksums, unfinished multipart uploads. Versioned buckets are refused.
"""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn
from xml.sax.saxutils import escape

from moto.s3.exceptions import NoSuchUpload, S3ClientError
from moto.s3.models import FakeBucket, FakeKey, S3Backend, s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import CaseInsensitiveDict, _VersionedKeyStore, metadata_from_headers

from lakehouse.errors import LakeError
from local.lake_pairs import StoredObject
from local.lake_store import LakeFiles
from local.moto_hooks import Hook, Original

log = logging.getLogger(__name__)

ACCOUNT = "123456789012"  # what moto takes every caller for
Answer = tuple[int, dict[str, str], str]


class StoredBytes:
    """Stands where moto keeps an object's bytes: reads the file each time, holds neither bytes nor descriptor."""

    def __init__(self, files: LakeFiles, stored: StoredObject) -> None:
        self._files, self.stored = files, stored

    def seek(self, offset: int) -> None:
        """moto always reads from the start."""

    def read(self) -> bytes:
        """All bytes. OSError if the file is gone or has another size."""
        return self._files.read(self.stored)

    def close(self) -> None:
        """Nothing is open."""


class LakeKeys(_VersionedKeyStore):  # type: ignore[misc]
    """The keys of one bucket: moto's dictionary of key → versions, always one version, written through."""

    def __init__(self, lake: "LakeOverS3", bucket: str) -> None:
        super().__init__()
        self._lake, self._bucket = lake, bucket

    def setlist(self, key: str, list_: Any) -> None:
        """Store the newest version; what is in memory changes only when the file counts."""
        new = list_[-1]
        self._lake.store(self._bucket, new, self.get(key))
        super().setlist(key, [new])

    def remember(self, stored: StoredObject, region: str) -> None:
        """Take in an object that is on disk already. Announces nothing."""
        key = FakeKey(stored.key, b"", ACCOUNT, region, etag=stored.etag, version_id="null")
        key.bucket_name = stored.bucket
        key.last_modified = datetime.fromisoformat(stored.last_modified)
        key.set_metadata(dict(stored.metadata))
        self._lake.keep_on_disk(key, stored)
        super().setlist(stored.key, [key])

    def pop(self, key: str) -> None:
        """Delete the object. KeyError when there is none, as moto expects."""
        self._lake.delete(self[key])
        super().pop(key)


class LakeOverS3:
    """Hooks that tie moto's S3 to one lake folder."""

    def __init__(self, files: LakeFiles, region: str) -> None:
        self._files, self._region = files, region
        self.lock = threading.RLock()
        self._metadata: Mapping[str, Any] | None = None  # of the request in hand; the lock makes it one

    def hooks(self) -> tuple[Hook, ...]:
        """All that is wrapped in moto's S3."""
        return (
            Hook(S3Response, "_key_response", self._answer),
            Hook(S3Response, "_bucket_response", self._answer),
            Hook(S3Response, "put_object", self._put_object),
            Hook(S3Backend, "copy_object", self._copy_object),
            Hook(S3Backend, "complete_multipart_upload", self._complete_multipart_upload),
            Hook(S3Backend, "create_bucket", self._create_bucket),
            Hook(S3Backend, "delete_bucket", self._delete_bucket),
            Hook(S3Backend, "put_bucket_versioning", self._refuse_versioning),
        )

    def load(self) -> tuple[int, int]:
        """Take in all buckets and objects of the folder; returns objects and bytes. Announces nothing."""
        objects = size = 0
        backend = s3_backends[ACCOUNT]["aws"]
        for name in self._files.buckets():
            backend.buckets[name] = FakeBucket(name, ACCOUNT, self._region)
            keys = backend.buckets[name].keys = LakeKeys(self, name)
            for stored in self._files.load(name):
                keys.remember(stored, self._region)
                objects, size = objects + 1, size + stored.size
        return objects, size

    def store(self, bucket: str, key: FakeKey, before: FakeKey | None) -> None:
        """Write one object to disk and let go of its bytes. LakeError or OSError: nothing has changed."""
        if self._metadata is None:
            raise S3ClientError("NotImplemented", "the local lake does not take objects by this request")
        # moto sets metadata only after the object is visible and announced: too late for whoever reads it then
        key.set_metadata(self._metadata)
        stored = self._files.write(
            bucket,
            key.name,
            key.value,
            etag=key.etag.strip('"'),
            metadata=dict(key.metadata),
            last_modified=key.last_modified.isoformat(),
            before=_stored(before) if before is not None else None,
        )
        self.keep_on_disk(key, stored)

    def keep_on_disk(self, key: FakeKey, stored: StoredObject) -> None:
        """From now on the key reads its bytes from the file."""
        key._value_buffer.close()
        key._value_buffer = StoredBytes(self._files, stored)
        key.contentsize = stored.size
        key.disposed = True  # there is nothing left to close: moto would warn

    def delete(self, key: FakeKey) -> None:
        """Remove the object from disk. OSError: it is still there."""
        self._files.delete(_stored(key))

    def _answer(self, original: Original, response: S3Response, *args: Any) -> Any:
        with self.lock:
            try:
                return original(response, *args)
            except LakeError as error:
                raise S3ClientError("InvalidRequest", str(error)) from error
            except OSError as error:
                log.error("%s %s failed on disk: %s", response.method, response.raw_path, error)
                return _internal_error(error)

    def _put_object(self, original: Original, response: S3Response) -> Any:
        metadata = metadata_from_headers(response.headers)
        metadata.update(metadata_from_headers(response.querystring))
        return self._with(metadata, original, response)

    def _copy_object(
        self, original: Original, backend: S3Backend, source: FakeKey, *args: Any, **kwargs: Any
    ) -> Any:
        metadata = kwargs["metadata"] if kwargs.get("mdirective") == "REPLACE" else source.metadata
        return self._with(metadata, original, backend, source, *args, **kwargs)

    def _complete_multipart_upload(
        self, original: Original, backend: S3Backend, bucket: str, upload: str, body: Any
    ) -> Any:
        multipart = backend.get_bucket(bucket).multiparts.get(upload)
        if multipart is None:  # moto fails with a traceback; after a restart this is what a client meets
            raise NoSuchUpload(upload_id=upload)
        return self._with(multipart.metadata, original, backend, bucket, upload, body)

    def _with(self, metadata: Mapping[str, Any], original: Original, /, *args: Any, **kwargs: Any) -> Any:
        self._metadata = CaseInsensitiveDict(metadata.items())  # set_metadata takes entries out of it
        try:
            return original(*args, **kwargs)
        finally:
            self._metadata = None

    def _create_bucket(
        self, original: Original, backend: S3Backend, bucket_name: str, *args: Any, **kwargs: Any
    ) -> Any:
        self._files.make_bucket(bucket_name)
        bucket = original(backend, bucket_name, *args, **kwargs)
        bucket.keys = LakeKeys(self, bucket_name)
        return bucket

    def _delete_bucket(self, original: Original, backend: S3Backend, bucket_name: str) -> Any:
        if not backend.get_bucket(bucket_name).keys:
            self._files.remove_bucket(bucket_name)
        return original(backend, bucket_name)

    def _refuse_versioning(self, *_args: Any) -> NoReturn:
        raise S3ClientError("NotImplemented", "buckets of a local lake have no versions: a key is one file")


def _stored(key: FakeKey) -> StoredObject:
    kept: Any = key._value_buffer
    stored: StoredObject = kept.stored
    return stored


def _internal_error(error: OSError) -> Answer:
    text = f"the local lake could not use its disk: {error}. Free space or mend the folder, then try again."
    body = f"<Error><Code>InternalError</Code><Message>{escape(text)}</Message></Error>"
    return 500, {"content-type": "application/xml"}, body
