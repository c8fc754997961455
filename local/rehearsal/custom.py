"""What CloudFormation does for a custom resource: calls its function, and takes the answer at an address of its own.

The function is the deployed one; it answers by a PUT to the ResponseURL, or the stack fails.
"""

import json
import queue
import threading
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from local.rehearsal.deployed import Running, fetch
from local.rehearsal.wanted import TemplateRefused, Wanted

# CloudFormation refuses a longer answer, and then waits for one that never comes
_MOST_BYTES = 4096


def answer_of(wanted: Wanted) -> Mapping[str, Any]:
    """The answer to a Create. TemplateRefused, with its reason, when it says FAILED, or nothing."""
    home, token = wanted.home, wanted["ServiceToken"]
    entry = home.find("AWS::Lambda::Function", "Arn", token)
    if entry is None:
        raise TemplateRefused(f"{wanted.logical_id}: {token} is no function of these stacks")
    deployed = fetch(home.client("lambda"), home.client("s3"), home.find, entry, home.folder)
    # only the owner of the ledger's database is told of the secret with its password
    owner = any(name.endswith("_LEDGER_SECRET") for name in deployed.environment)
    more = {"NEXUS_LEDGER_URL": home.ledger_url} if owner else {}
    with Address() as address, Running(deployed, home.folder, home.endpoint, home.region, more) as function:
        function.call(_event(wanted, address.url))
        return checked(address.answer(), wanted)


def _event(wanted: Wanted, url: str) -> Mapping[str, Any]:
    return {
        "RequestType": "Create",
        "ServiceToken": wanted["ServiceToken"],
        "ResponseURL": url,
        "StackId": wanted.stack_id,
        "RequestId": str(uuid.uuid4()),
        "LogicalResourceId": wanted.logical_id,
        "ResourceType": wanted.type,
        "ResourceProperties": as_text(wanted.properties()),
    }


def as_text(value: Any) -> Any:
    """Numbers and truth values reach a function as text, as CloudFormation sends them."""
    if isinstance(value, Mapping):
        return {name: as_text(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_text(one) for one in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def checked(body: bytes | None, wanted: Wanted) -> Mapping[str, Any]:
    """The answer, if it is one that CloudFormation takes and that says SUCCESS; TemplateRefused otherwise."""
    if body is None:
        raise TemplateRefused(
            f"{wanted.logical_id}: its function ended without an answer: AWS would wait for an hour"
        )
    if len(body) > _MOST_BYTES:
        raise TemplateRefused(f"{wanted.logical_id}: an answer of {len(body)} bytes; AWS takes {_MOST_BYTES}")
    answer: Mapping[str, Any] = json.loads(body)
    if answer["Status"] != "SUCCESS":
        raise TemplateRefused(f"{wanted.logical_id}: {answer.get('Reason') or 'FAILED without a reason'}")
    return answer


class Address:
    """A place on loopback that takes one answer by PUT."""

    def __init__(self) -> None:
        answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()

        class Take(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                answers.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        self._answers = answers
        self._server = HTTPServer(("127.0.0.1", 0), Take)
        self.url = f"http://127.0.0.1:{self._server.server_port}/answer"

    def answer(self) -> bytes | None:
        """What was put there; a function puts it before it ends."""
        return None if self._answers.empty() else self._answers.get()

    def __enter__(self) -> "Address":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._server.shutdown()
        self._server.server_close()
