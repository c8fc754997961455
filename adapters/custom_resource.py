"""How a function behind a custom resource answers CloudFormation: once per request, whatever happens."""

import json
import logging
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lakehouse.errors import NexusError

_log = logging.getLogger(__name__)
# CloudFormation takes 4 KB in all; a longer answer is no answer, and the stack would wait for its timeout
_REASON = 1500
_ANSWER_SECONDS = 30

RequestKind = Literal["Create", "Update", "Delete"]
Work = Callable[[RequestKind, Mapping[str, Any]], Mapping[str, str]]
Handler = Callable[[Mapping[str, Any], Any], None]


@dataclass(frozen=True)
class Answer:
    """What a request is answered with; `physical_id` never changes, so nothing is ever replaced."""

    status: Literal["SUCCESS", "FAILED"]
    reason: str
    physical_id: str
    data: Mapping[str, str]

    def to_json(self, event: Mapping[str, Any]) -> bytes:
        """The body that goes to the request's ResponseURL."""
        return json.dumps(
            {
                "Status": self.status,
                "Reason": self.reason,
                "PhysicalResourceId": event.get("PhysicalResourceId") or self.physical_id,
                "StackId": event["StackId"],
                "RequestId": event["RequestId"],
                "LogicalResourceId": event["LogicalResourceId"],
                "Data": dict(self.data),
            }
        ).encode()


def answering(physical_id: str, work: Work, send: Callable[[str, bytes], None] | None = None) -> Handler:
    """A Lambda handler that does `work(kind, properties)` and answers.

    What it returns becomes the resource's attributes; an exception fails the deployment with its message.
    """

    def handle(event: Mapping[str, Any], _context: Any) -> None:
        try:
            data = work(event["RequestType"], event.get("ResourceProperties", {}))
            answer = Answer("SUCCESS", "", physical_id, data)
        except NexusError as error:
            _log.exception("failed")
            answer = Answer("FAILED", str(error)[:_REASON], physical_id, {})
        except Exception as error:  # noqa: BLE001 - outermost: without an answer the stack waits for its timeout
            _log.exception("failed")
            answer = Answer("FAILED", f"{type(error).__name__}: {error}"[:_REASON], physical_id, {})
        (send or _put)(event["ResponseURL"], answer.to_json(event))

    return handle


def _put(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310 - CloudFormation's own address
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS):  # noqa: S310
        pass
