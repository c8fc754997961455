"""S3 as the lake needs it: conditional writes, reads pinned to an ETag, listings in key order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, BinaryIO, Self

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from adapters import aws
from lakehouse.errors import LakeError

_NOTHING: Mapping[str, str] = MappingProxyType({})
# Real S3 answers 409 instead of 412 while another conditional write of the key is under way; it settles in
# milliseconds, so five tries with up to 2 s between them are plenty.
_CONFLICT_TRIES = 5


class ObjectGone(LakeError):
    """The object read is not there any more, or not the one whose ETag was pinned."""


@dataclass(frozen=True)
class Stored:
    """An object as the store knows it. Listings leave `metadata` empty; writing does not say when it was `modified`."""

    key: str
    etag: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    modified: datetime | None = field(default=None, compare=False)


class ObjectStore:
    """One per process; safe to share between threads."""

    def __init__(self, client: Any) -> None:
        self._s3 = client

    @classmethod
    def connect(cls, endpoint: str | None, region: str, owner: str | None = None) -> Self:
        """A store on AWS (endpoint None) or on a local server; S3 refuses buckets of another account than `owner`.

        Checksums only where S3 demands them: the default adds trailers that local servers store as data.
        """
        config = Config(
            s3={"addressing_style": "path"} if endpoint else {},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=16,
        )
        client = aws.connect("s3", endpoint, region, config)
        if owner:
            client.meta.events.register("before-parameter-build.s3", partial(_expect_owner, owner))
        return cls(client)

    def put_new(
        self, bucket: str, key: str, body: bytes | BinaryIO, metadata: Mapping[str, str] = _NOTHING
    ) -> Stored | None:
        """Writes the object if nothing stands there (If-None-Match); None when something does."""
        for attempt in Retrying(
            retry=retry_if_exception(lambda e: _status(e) == 409),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            stop=stop_after_attempt(_CONFLICT_TRIES),
            reraise=True,
        ):
            with attempt:
                try:
                    return self._put(bucket, key, body, metadata, {"IfNoneMatch": "*"})
                except ClientError as error:
                    if _status(error) == 412:
                        return None
                    raise
        raise AssertionError("tenacity either returns or raises")

    def put(
        self, bucket: str, key: str, body: bytes | BinaryIO, metadata: Mapping[str, str] = _NOTHING
    ) -> Stored:
        """Writes the object, over whatever stands there."""
        return self._put(bucket, key, body, metadata, {})

    def _put(
        self,
        bucket: str,
        key: str,
        body: bytes | BinaryIO,
        metadata: Mapping[str, str],
        condition: Mapping[str, str],
    ) -> Stored:
        if not isinstance(body, bytes):
            body.seek(0)
        answer = self._s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=dict(metadata), **condition)
        size = len(body) if isinstance(body, bytes) else body.tell()
        return Stored(key, answer["ETag"].strip('"'), size, dict(metadata))

    def head(self, bucket: str, key: str) -> Stored | None:
        """The object without its bytes; None when there is none."""
        try:
            answer = self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _status(error) == 404:
                return None
            raise
        etag, size = answer["ETag"].strip('"'), answer["ContentLength"]
        return Stored(key, etag, size, answer["Metadata"], answer["LastModified"])

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """The object's bytes, of this ETag when one is given; ObjectGone when it is gone or another."""
        return self._get(bucket, key, etag, {})

    def get_range(self, bucket: str, key: str, etag: str, start: int, length: int) -> bytes:
        """So many of its bytes from `start` on, which it must have; ObjectGone as of `get`."""
        return self._get(bucket, key, etag, {"Range": f"bytes={start}-{start + length - 1}"})

    def _get(self, bucket: str, key: str, etag: str | None, part: Mapping[str, str]) -> bytes:
        condition = {} if etag is None else {"IfMatch": f'"{etag}"'}
        try:
            body: bytes = self._s3.get_object(Bucket=bucket, Key=key, **condition, **part)["Body"].read()
        except ClientError as error:
            # a bucket that is not there is a fault of the machine, which must not pass for an object that vanished
            if _status(error) in (404, 412) and error.response["Error"]["Code"] != "NoSuchBucket":
                raise ObjectGone(
                    f"s3://{bucket}/{key} is gone or was replaced (wanted ETag {etag})"
                ) from error
            raise
        return body

    def tail(self, bucket: str, key: str, size: int) -> bytes:
        """The object's last bytes, all of them if it is smaller; ObjectGone when it is gone."""
        try:
            body: bytes = self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=-{size}")["Body"].read()
        except ClientError as error:
            if _status(error) == 416:  # an empty object has no last byte
                return b""
            if _status(error) == 404 and error.response["Error"]["Code"] != "NoSuchBucket":
                raise ObjectGone(f"s3://{bucket}/{key} is gone") from error
            raise
        return body

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        """Objects under a prefix in key order, behind `start_after`."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, StartAfter=start_after
        )
        for page in pages:
            for item in page.get("Contents", ()):
                yield Stored(
                    item["Key"], item["ETag"].strip('"'), item["Size"], modified=item["LastModified"]
                )

    def start_parts(self, bucket: str, key: str) -> str:
        """Begins an object that comes in parts; the upload's id. See `adapters.uploads`."""
        return str(self._s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"])

    def put_part(self, bucket: str, key: str, upload: str, number: int, body: bytes) -> str:
        """Writes a part, counted from 1, over what was there; its ETag."""
        place = {"Bucket": bucket, "Key": key, "UploadId": upload}
        return str(self._s3.upload_part(**place, PartNumber=number, Body=body)["ETag"])

    def finish_parts(self, bucket: str, key: str, upload: str, etags: Sequence[str]) -> None:
        """Makes the object of its parts, over whatever stands there."""
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        self._s3.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
        )

    def drop_parts(self, bucket: str, key: str, upload: str) -> None:
        """Forgets the parts; nothing happens when they are forgotten already."""
        try:
            self._s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        except ClientError as error:
            if _status(error) != 404:
                raise

    def delete(self, bucket: str, key: str) -> None:
        """Removes the object; nothing happens when there is none."""
        self._s3.delete_object(Bucket=bucket, Key=key)


# What an unreachable or failing store raises: callers retry these, they never mean bad data.
STORE_ERRORS = (BotoCoreError, ClientError)


def _expect_owner(owner: str, params: dict[str, Any], model: Any, **_: Any) -> None:
    """In every call that can say so."""
    if "ExpectedBucketOwner" in model.input_shape.members:
        params.setdefault("ExpectedBucketOwner", owner)


def _status(error: BaseException) -> int:
    if not isinstance(error, ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
