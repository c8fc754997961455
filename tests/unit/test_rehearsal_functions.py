"""The rehearsal runs functions as they were deployed: their files, their environment, their time."""

import base64
import hashlib
import io
import json
import threading
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakehouse.errors import RuntimeFault
from local.rehearsal import (
    custom,
    kafka_api,
    moto_gaps,
    only_an_account,
)
from local.rehearsal.deployed import Deployed, Running, distributions, fetch
from local.rehearsal.engine import Engine
from local.rehearsal.invocations import Invocations, change_environment
from local.rehearsal.journal import Entry, Journal
from local.rehearsal.wanted import Home, TemplateRefused
from tests.fakes.rehearsed import a_home, a_wanted

HANDLER = """
import os, sys

def answer(event, context):
    if event.get("do") == "fail":
        raise ValueError("no")
    if event.get("do") == "hang":
        while True:
            pass
    if event.get("do") == "import":
        return sorted(name for name in event["names"] if _there(name))
    return {"said": event["say"], "name": context.function_name, "mode": os.environ["MODE"]}

def _there(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
"""


@pytest.fixture
def function(tmp_path: Path) -> Deployed:
    package = tmp_path / "package"
    package.mkdir()
    (package / "ours.py").write_text(HANDLER)
    return Deployed(
        "thing", "arn:thing", "ours.answer", {"MODE": "deployed"}, 2, 128, False, frozenset(), package
    )


def start(function: Deployed, tmp_path: Path) -> Running:
    return Running(function, tmp_path, "http://localhost:1", "us-east-1", {})


def test_a_function_answers_with_its_own_environment_again_and_again(
    function: Deployed, tmp_path: Path
) -> None:
    with start(function, tmp_path) as running:
        for word in ("one", "two"):
            assert running.call({"say": word}) == {"said": word, "name": "thing", "mode": "deployed"}


def test_a_function_that_fails_is_told_with_its_reason_and_goes_on(
    function: Deployed, tmp_path: Path
) -> None:
    with start(function, tmp_path) as running:
        with pytest.raises(RuntimeFault, match="thing: ValueError: no"):
            running.call({"do": "fail"})
        assert running.call({"say": "on"})["said"] == "on"


def test_a_function_ends_with_its_time(function: Deployed, tmp_path: Path) -> None:
    with (
        start(function, tmp_path) as running,
        pytest.raises(RuntimeFault, match="took longer than its timeout"),
    ):
        running.call({"do": "hang"})


def test_a_function_finds_what_was_deployed_and_the_runtime_has_and_no_more(
    function: Deployed, tmp_path: Path
) -> None:
    names = ["boto3", "ours", "lakehouse", "local", "pyarrow", "aws_lambda_powertools", "pytest"]
    with start(function, tmp_path) as running:
        assert running.call({"do": "import", "names": names}) == ["boto3", "ours"]


def test_an_answer_of_a_custom_resource_is_what_was_put() -> None:
    wanted = a_wanted("Custom::Thing")
    with custom.Address() as address:
        assert address.answer() is None
        body = json.dumps({"Status": "SUCCESS", "PhysicalResourceId": "x", "Data": {"A": "1"}}).encode()
        urllib.request.urlopen(urllib.request.Request(address.url, body, method="PUT")).close()
        assert custom.checked(address.answer(), wanted)["Data"] == {"A": "1"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (None, "without an answer"),
        (b'{"Status": "FAILED", "Reason": "the ledger is away"}', "the ledger is away"),
        (b'{"Status": "SUCCESS"}'.ljust(5000), "5000 bytes"),
    ],
)
def test_a_custom_resource_that_did_not_succeed_fails_its_stack(body: bytes | None, why: str) -> None:
    with pytest.raises(TemplateRefused, match=why):
        custom.checked(body, a_wanted("Custom::Thing"))


def test_properties_reach_a_custom_resource_as_text() -> None:
    found = custom.as_text({"PerZone": 1, "Things": {"on": True}, "Names": ["a", 2]})
    assert found == {"PerZone": "1", "Things": {"on": "true"}, "Names": ["a", "2"]}


def test_what_is_wrapped_in_moto_is_there(tmp_path: Path) -> None:
    engine = Engine(a_home(), Journal(tmp_path / "journal.jsonl"))
    ours = (engine, Invocations(a_home()), moto_gaps, kafka_api, only_an_account)
    for hook in (hook for owner in ours for hook in owner.hooks()):
        assert callable(getattr(hook.owner, hook.name)), f"{hook} is gone: moto has changed"


class LambdaAndS3:
    """A function whose package is HANDLER, as both of their APIs tell of it."""

    def __init__(self) -> None:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("ours.py", HANDLER)
        self._body = content.getvalue()

    def get_function_configuration(self, **_named: str) -> Mapping[str, Any]:
        return {
            "CodeSha256": base64.b64encode(hashlib.sha256(self._body).digest()).decode(),
            "FunctionArn": "arn:thing",
            "Handler": "ours.answer",
            "Environment": {"Variables": {"MODE": "deployed"}},
            "Timeout": 60,
            "MemorySize": 128,
        }

    def get_object(self, **_named: str) -> Mapping[str, Any]:
        return {"Body": io.BytesIO(self._body)}


def a_function_entry(_type: str = "", _name: str = "", _value: str = "") -> Entry:
    code = {"Code": {"S3Bucket": "assets", "S3Key": "code.zip"}}
    return Entry("nexus-dev-part", "AWS::Lambda::Function", "Thing", "thing", {}, code, (), 0.0)


class Invoker:
    """Calls the hook as moto does."""

    def __init__(self, folder: Path) -> None:
        client: Any = LambdaAndS3()
        (folder / "functions").mkdir()
        self.invocations = Invocations(
            Home(
                lambda _service: client, a_function_entry, "1", "us-east-1", "http://localhost:1", folder, ""
            )
        )

    def __call__(self, event: Mapping[str, Any]) -> tuple[Any, Mapping[str, str]]:
        backend = SimpleNamespace(
            get_function=lambda _name, _qualifier: SimpleNamespace(function_name="thing")
        )
        headers: dict[str, str] = {}
        [hook] = self.invocations.hooks()
        body = hook.around(None, backend, "thing", None, json.dumps(event).encode(), {}, headers)
        assert headers["Content-Length"] == str(len(body))
        return json.loads(body), headers


def test_an_invocation_is_answered_by_what_was_deployed_with_what_differs_here(tmp_path: Path) -> None:
    invoke = Invoker(tmp_path)
    assert invoke({"say": "one"})[0] == {"said": "one", "name": "thing", "mode": "deployed"}
    change_environment(tmp_path, "thing", {"MODE": "rehearsed"})
    answer, headers = invoke({"say": "two"})
    assert answer == {"said": "two", "name": "thing", "mode": "rehearsed"}
    assert "x-amz-function-error" not in headers


def test_an_invocation_that_fails_says_so_as_lambda_does(tmp_path: Path) -> None:
    answer, headers = Invoker(tmp_path)({"do": "fail"})
    assert headers["x-amz-function-error"] == "Unhandled"
    assert "ValueError: no" in answer["errorMessage"]


def test_closed_invocations_end_and_none_begins(tmp_path: Path) -> None:
    """One that hangs would outlive its server."""
    invoke, answers = Invoker(tmp_path), []
    hanging = threading.Thread(target=lambda: answers.append(invoke({"do": "hang"})))
    hanging.start()
    while not invoke.invocations._running:
        assert hanging.is_alive()
    invoke.invocations.close()
    hanging.join()
    [(answer, headers)] = answers
    assert headers["x-amz-function-error"] == "Unhandled"
    assert "it ended" in answer["errorMessage"]
    assert "is not begun" in invoke({"say": "late"})[0]["errorMessage"]


def test_a_layer_that_no_stack_has_made_is_refused(tmp_path: Path) -> None:
    class WithLayer(LambdaAndS3):
        def get_function_configuration(self, **named: str) -> Mapping[str, Any]:
            return {**super().get_function_configuration(**named), "Layers": [{"Arn": "arn:layer:ours:1"}]}

    with pytest.raises(RuntimeFault, match="no stack has made the layer arn:layer:ours:1"):
        fetch(WithLayer(), WithLayer(), lambda *_: None, a_function_entry(), tmp_path)


def test_libraries_of_an_archive_are_known_by_their_metadata() -> None:
    files = [
        "site/grpcio_health_checking-1.81.1.dist-info/METADATA",
        "site/six-1.17.0.dist-info/METADATA",
        "site/six-1.17.0.dist-info/RECORD",
        "site/six.py",
        "python/numpy-2.5.5.dist-info/METADATA",
    ]
    assert distributions(files, "site") == {"grpcio_health_checking", "six"}
    assert distributions(files, "python") == {"numpy"}
