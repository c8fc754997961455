"""S3's announcements as AWS sends them, and queues that lose none of them between threads."""

import logging
import time
import uuid
from typing import Any

from moto.core import common_models
from moto.core.exceptions import ServiceException
from moto.events.models import events_backends
from moto.s3 import notifications
from moto.s3.models import FakeBucket, FakeKey
from moto.s3.notifications import S3NotificationEvent as Event
from moto.sqs.models import Message, Queue, SQSBackend

from local.moto_hooks import Hook, Original

log = logging.getLogger(__name__)

CREATED, DELETED = "Object Created", "Object Deleted"
ANNOUNCED = {  # moto's event → detail-type and reason. Others (tags, ACLs) moto also sends where AWS does not
    Event.OBJECT_CREATED_PUT_EVENT: (CREATED, "PutObject"),
    Event.OBJECT_CREATED_COPY_EVENT: (CREATED, "CopyObject"),
    Event.OBJECT_CREATED_COMPLETE_MULTIPART_UPLOAD_EVENT: (CREATED, "CompleteMultipartUpload"),
    Event.OBJECT_REMOVED_DELETE_EVENT: (DELETED, "DeleteObject"),
}


def hooks() -> tuple[Hook, ...]:
    """All that is wrapped in moto's notifications, queues and bookkeeping."""
    return (
        Hook(notifications, "_send_event_bridge_message", _announce),
        Hook(SQSBackend, "receive_message", _receive_message),
        Hook(Queue, "delete_message", _delete_message),
        Hook(common_models.BaseModel, "__new__", _new_untracked),
    )


def object_event(account: str, bucket: FakeBucket, event: Event, key: FakeKey, now: float) -> dict[str, Any]:
    """The EventBridge event of an object. The key is raw, not URL-encoded; `now` is Unix time in seconds."""
    detail_type, reason = ANNOUNCED[event]
    about = {"key": key.name, "size": key.size, "etag": key.etag.strip('"')}
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": about | {"sequencer": f"{int(now * 1e9):016X}"},
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": account,
        "source-ip-address": "127.0.0.1",
        "reason": reason,
    }
    if detail_type == DELETED:
        del detail["object"]["size"]
        detail["deletion-type"] = "Permanently Deleted"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": account,
        "time": now,  # moto writes it as ISO 8601 when it hands the event to a target
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": detail,
    }


def _announce(
    _original: Original, account_id: str, bucket: FakeBucket, event_name: Event, key: FakeKey
) -> None:
    """In place of moto's: `eTag` there, constant ids, a second event per multipart upload, all errors swallowed."""
    part_of_multipart = event_name == Event.OBJECT_CREATED_PUT_EVENT and key.multipart is not None
    if event_name not in ANNOUNCED or part_of_multipart:
        return
    event: Any = object_event(account_id, bucket, event_name, key, time.time())
    for rule in list(events_backends[account_id][bucket.region_name].event_buses["default"].rules.values()):
        try:
            rule.send_to_targets(event, transform_input=False)
        except ServiceException as error:
            log.error("rule %s did not get the event of %s/%s: %s", rule.name, bucket.name, key.name, error)


def _receive_message(
    original: Original,
    backend: SQSBackend,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[Message]:
    """Under the queue's lock, else two pollers get the same message; waits outside of it."""
    queue = backend.get_queue(queue_name)
    deadline = time.monotonic() + wait_seconds_timeout
    while True:
        with queue._messages_lock:
            found: list[Message] = original(
                backend, queue_name, count, 0, visibility_timeout, message_attribute_names
            )
        left = deadline - time.monotonic()
        if found or left <= 0:
            return found
        queue.wait_for_messages(min(left, 1))  # 1 s: a message that reappears gives no signal


def _delete_message(original: Original, queue: Queue, receipt_handle: str) -> None:
    """Under the queue's lock: moto rebuilds the list and would lose a message that arrives meanwhile."""
    with queue._messages_lock:
        original(queue, receipt_handle)


def _new_untracked(_original: Original, cls: type, *_args: Any, **_kwargs: Any) -> Any:
    """moto keeps every object it ever made in a list, deleted ones and each message too: memory would only grow."""
    return object.__new__(cls)
