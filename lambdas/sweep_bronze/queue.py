"""Sends announcements to the check hop's queue."""

from collections.abc import Sequence
from typing import Any, Self

import boto3

from lakehouse.errors import LakeError

_BATCH = 10  # the most that SQS takes in one call


class CheckQueue:
    """The queue at a URL. Sending twice is harmless: what is committed is left alone."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs, self._url = sqs, url

    @classmethod
    def connect(cls, endpoint: str | None, region: str, url: str) -> Self:
        """On AWS (endpoint None) or a local server."""
        return cls(boto3.client("sqs", endpoint_url=endpoint, region_name=region), url)

    def depth(self) -> int:
        """Messages that wait or are in hand, as SQS counts them: a minute late at worst."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def send(self, bodies: Sequence[str]) -> None:
        """All of them, or LakeError when the queue refuses some: the next sweep finds them again."""
        for first in range(0, len(bodies), _BATCH):
            batch = bodies[first : first + _BATCH]
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
            refused = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed", [])
            if refused:
                raise LakeError(f"the queue {self._url} refused {len(refused)} announcements: {refused[0]}")
