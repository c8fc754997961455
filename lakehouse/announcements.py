"""The message that tells of a new object: EventBridge's `Object Created` of S3, as SQS hands it on."""

import json
from dataclasses import dataclass
from typing import Any

from lakehouse.errors import LakeError

_SOURCE, _CREATED = "aws.s3", "Object Created"


@dataclass(frozen=True)
class ObjectCreated:
    """An object that was written. EventBridge does not URL-encode keys: `+`, `%` and spaces are the key's own."""

    bucket: str
    key: str


@dataclass(frozen=True)
class NotForUs:
    """A message that is well formed but tells of nothing to check; `why` is one word for a counter."""

    why: str


def parse_announcement(body: str) -> ObjectCreated | NotForUs:
    """What a message says. LakeError when it says nothing that can be understood: somebody should look at it."""
    try:
        message = json.loads(body)
        if message.get("Event") == "s3:TestEvent":
            return NotForUs("test_event")
        if message["source"] != _SOURCE:
            return NotForUs("other_source")
        if message["detail-type"] != _CREATED:
            return NotForUs("other_detail_type")
        bucket, key = message["detail"]["bucket"]["name"], message["detail"]["object"]["key"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LakeError(
            f"{body[:200]!r} is no event of EventBridge ({error!r}): who sends to this queue?"
        ) from error
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise LakeError(f"{body[:200]!r} names no object: who sends to this queue?")
    return ObjectCreated(bucket, key)


def announcement(created: ObjectCreated, size: int, etag: str) -> str:
    """The message EventBridge would send of this object, for whoever announces it once more."""
    message: dict[str, Any] = {
        "version": "0",
        "source": _SOURCE,
        "detail-type": _CREATED,
        "detail": {
            "version": "0",
            "bucket": {"name": created.bucket},
            "object": {"key": created.key, "size": size, "etag": etag},
            "reason": "sweep",
        },
    }
    return json.dumps(message, ensure_ascii=False)
