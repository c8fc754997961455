"""The announcement's shape, and moto's queue between threads: each race is forced, none is waited for."""

import threading
from collections.abc import Callable, Iterator
from typing import Self, TypeVar

import pytest
from moto.s3.models import FakeBucket, FakeKey
from moto.s3.notifications import S3NotificationEvent
from moto.sqs.models import Message, Queue, SQSBackend

from local.object_events import _delete_message, _receive_message, object_event

ACCOUNT, REGION = "123456789012", "us-east-1"
BLOCKED_S = 0.3  # how long a thread that must wait for a lock is given to show that it does not


class CutIn:
    """Runs something in another thread, once, and gives it the time to do harm if no lock holds it."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.thread = threading.Thread(target=act)

    def __call__(self) -> None:
        if self.thread.ident is None:
            self.thread.start()
            self.thread.join(BLOCKED_S)


class MessagesReadToTheEnd(list[Message]):
    """Calls `cut_in` when a reader has seen all: moto's delete then replaces the list by what it saw."""

    cut_in: CutIn

    def __iter__(self) -> Iterator[Message]:
        yield from super().__iter__()
        self.cut_in()


class MessageAboutToBeTaken(Message):  # type: ignore[misc]
    """Calls `cut_in` when a poller has found it and not yet marked it."""

    cut_in: CutIn

    def mark_received(self, visibility_timeout: int | None = None) -> None:
        self.cut_in()
        super().mark_received(visibility_timeout)

    def __deepcopy__(self, _memo: object) -> Self:
        return self


M = TypeVar("M", bound=Message)


def sent(message: M) -> M:
    message.mark_sent()
    return message


@pytest.fixture
def backend() -> SQSBackend:
    backend = SQSBackend(REGION, ACCOUNT)
    backend.create_queue("check-rows", {})
    return backend


@pytest.fixture
def queue(backend: SQSBackend) -> Queue:
    return backend.get_queue("check-rows")


def test_message_that_arrives_during_a_delete_is_kept(backend: SQSBackend, queue: Queue) -> None:
    deleted, arriving = sent(Message("1", "deleted")), sent(Message("2", "arriving"))
    queue.add_message(deleted)
    _receive_message(SQSBackend.receive_message, backend, "check-rows", 1, 0, 60)
    queue._messages = MessagesReadToTheEnd([deleted])
    queue._messages.cut_in = cut_in = CutIn(lambda: queue.add_message(arriving))
    _delete_message(Queue.delete_message, queue, deleted.receipt_handle)
    cut_in.thread.join()
    assert queue._messages == [arriving]


def test_two_pollers_never_get_the_same_message(backend: SQSBackend, queue: Queue) -> None:
    taken: list[str] = []

    def poll() -> None:
        found = _receive_message(SQSBackend.receive_message, backend, "check-rows", 10, 0, 60)
        taken.extend(m.body for m in found)

    message = sent(MessageAboutToBeTaken("1", "once"))
    message.cut_in = CutIn(poll)
    queue.add_message(message)
    poll()
    message.cut_in.thread.join()
    assert taken == ["once"]


def test_waiting_poller_gets_what_arrives(backend: SQSBackend, queue: Queue) -> None:
    sender = threading.Timer(BLOCKED_S, lambda: queue.add_message(sent(Message("1", "late"))))
    sender.start()
    found = _receive_message(SQSBackend.receive_message, backend, "check-rows", 10, 20, 60)
    sender.join()
    assert [m.body for m in found] == ["late"]


def test_deleted_object_has_an_etag_and_no_size() -> None:
    key = FakeKey("a+b c", b"PAR1", ACCOUNT, REGION, etag="e")
    key.disposed = True
    event = object_event(
        ACCOUNT,
        FakeBucket("b", ACCOUNT, REGION),
        S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT,
        key,
        now=1_500_000_000.5,
    )
    assert event["detail-type"] == "Object Deleted"
    assert event["detail"]["object"] == {
        "key": "a+b c",
        "etag": "e",
        "sequencer": f"{1_500_000_000_500_000_000:016X}",
    }
    assert (event["detail"]["reason"], event["detail"]["deletion-type"]) == (
        "DeleteObject",
        "Permanently Deleted",
    )
