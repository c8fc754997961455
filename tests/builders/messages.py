"""Messages as SQS hands them to a Lambda, with valid defaults."""

import json
from typing import Any

from adapters.objects import ObjectStore
from lakehouse.paths import Buckets
from tests.builders.rows import metadata_of, parquet_bytes
from tests.fakes.object_store import FakeObjectStore

BUCKETS = Buckets.of("olist-data-lake")


def an_announcement(key: str, bucket: str = BUCKETS.bronze, **changes: Any) -> str:
    """What EventBridge sends when an object was written."""
    message: dict[str, Any] = {
        "version": "0",
        "id": "0b0e1d2c-0000-4000-8000-000000000001",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2018-03-04T12:00:00Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 1000, "etag": "e1", "sequencer": "00"},
            "reason": "PutObject",
        },
    }
    return json.dumps(message | changes, ensure_ascii=False)


def a_batch(*bodies: str, receives: int = 1) -> dict[str, Any]:
    """The event of a Lambda: one record per body, with message ids m0, m1, …"""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"r{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:check-rows",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def land(store: FakeObjectStore | ObjectStore, table: Any, data: bytes | None = None, **changes: Any) -> str:
    """Writes a Bronze object of these rows as a writer does (or of other bytes under its name); its key."""
    metadata = metadata_of(table, **changes)
    body = parquet_bytes(table) if data is None else data
    store.put_new(BUCKETS.bronze, str(metadata.key), body, metadata.to_s3())
    return str(metadata.key)
