"""Answers to CloudFormation: one per request, short enough, and the same id for ever."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from adapters.custom_resource import answering
from lakehouse.errors import RegistryError

REQUEST = {
    "RequestType": "Create",
    "ResponseURL": "https://bucket/answer",
    "StackId": "arn:stack",
    "RequestId": "one",
    "LogicalResourceId": "Ledger",
    "ResourceProperties": {"Users": {"a": "read"}},
}


class Mailbox:
    def __init__(self) -> None:
        self.answers: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, url: str, body: bytes) -> None:
        assert len(body) <= 4096, "CloudFormation takes no longer answers"
        self.answers.append((url, json.loads(body)))


def ask(work: Any, request: Mapping[str, Any] = REQUEST) -> dict[str, Any]:
    box = Mailbox()
    answering("ledger", work, box)(request, None)
    [(url, answer)] = box.answers
    assert url == request["ResponseURL"]
    return answer


def test_answer_carries_what_the_work_returns() -> None:
    answer = ask(lambda kind, properties: {"kind": kind, "users": ",".join(properties["Users"])})
    assert answer["Status"] == "SUCCESS"
    assert answer["Data"] == {"kind": "Create", "users": "a"}
    assert (answer["StackId"], answer["RequestId"], answer["LogicalResourceId"]) == (
        "arn:stack",
        "one",
        "Ledger",
    )


def test_answer_keeps_the_physical_id_that_the_resource_has() -> None:
    assert ask(lambda *_: {})["PhysicalResourceId"] == "ledger"
    updated = ask(lambda *_: {}, REQUEST | {"RequestType": "Update", "PhysicalResourceId": "of old"})
    assert updated["PhysicalResourceId"] == "of old"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (RegistryError("orders.v1 is refused"), "orders.v1 is refused"),
        (KeyError("Users"), "KeyError: 'Users'"),
        (ValueError("x" * 10_000), "ValueError: xxx"),
    ],
)
def test_answer_to_a_failure_says_why(problem: Exception, said: str) -> None:
    def fail(*_: object) -> Mapping[str, str]:
        raise problem

    answer = ask(fail)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(said)


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[str, str | None, bytes]]]]:
    got: list[tuple[str, str | None, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in the base
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_answer_is_put_where_the_request_says(
    receiver: tuple[str, list[tuple[str, str | None, bytes]]],
) -> None:
    """Without a content type: the address was signed for none."""
    url, got = receiver
    answering("ledger", lambda *_: {})(REQUEST | {"ResponseURL": f"{url}/answer?signature=1"}, None)
    [(path, content_type, body)] = got
    assert (path, content_type) == ("/answer?signature=1", "")
    assert json.loads(body)["Status"] == "SUCCESS"
