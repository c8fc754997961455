"""What strikes the announcements of objects on their way to the check."""

import json
import random
import time
from typing import Any

from faults.world import PREFIX, World

_COPIES = 200


def lose_announcement(world: World, draw: random.Random) -> None:
    """The message is deleted unread: the sweep has to find its object."""
    sqs, url = world.sqs()
    for _ in range(100):
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=30)
        for message in found.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return
        time.sleep(0.02)


def announce_again(world: World, draw: random.Random) -> None:
    """One object is announced hundreds of times more."""
    _send(world, _announcements(world, draw, 1) * _COPIES)


def shuffle_announcements(world: World, draw: random.Random) -> None:
    """Objects of all ages are announced again, twice each, in any order."""
    bodies = _announcements(world, draw, 30) * 2
    draw.shuffle(bodies)
    _send(world, bodies)


def odd_announcements(world: World, draw: random.Random) -> None:
    """S3's test event, a removal, a future version with fields nobody knows."""
    bodies: list[Any] = [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": f"{PREFIX}-bronze"},
        {"detail-type": "Object Deleted", "source": "aws.s3", "detail": {"object": {"key": "x"}}},
    ]
    bodies += [{**body, "version": "9", "novelty": {"a": [1]}} for body in _announcements(world, draw, 2)]
    _send(world, bodies)


def poison_message(world: World, draw: random.Random) -> None:
    """Messages that are no announcement stand between those that are."""
    sqs, url = world.sqs()
    for text in ("not json", "[]", "null", json.dumps({"detail": {"object": {"key": "../../etc/passwd"}}})):
        sqs.send_message(QueueUrl=url, MessageBody=text)


def _announcements(world: World, draw: random.Random, how_many: int) -> list[dict[str, Any]]:
    bucket = f"{PREFIX}-bronze"
    pages = world.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [
        found["Key"]
        for page in pages
        for found in page.get("Contents", [])
        if found["Key"].endswith(".parquet")
    ]
    chosen = draw.sample(keys, min(how_many, len(keys)))
    return [
        {
            "version": "0",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "account": "123456789012",
            "region": "us-east-1",
            "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
        }
        for key in chosen
    ]


def _send(world: World, bodies: list[Any]) -> None:
    sqs, url = world.sqs()
    for first in range(0, len(bodies), 10):
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(body)}
            for number, body in enumerate(bodies[first : first + 10])
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
