"""The rehearsal's own rules: nothing unknown is skipped, nothing unheld is proven, only what is deployed runs."""

import base64
import hashlib
import io
import json
import re
import threading
import urllib.request
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakehouse.errors import RuntimeFault
from lambdas.canary import flight
from lambdas.canary.checks import Check
from local.rehearsal import (
    custom,
    hosts,
    kafka_api,
    life,
    models,
    moto_gaps,
    only_an_account,
    smoke_test,
    unproven,
)
from local.rehearsal.cdk_command import aws_surroundings
from local.rehearsal.deployed import Deployed, Running, distributions, fetch, libraries
from local.rehearsal.engine import Engine
from local.rehearsal.findings import Finding, NotAsPromised, examine, require, to_text
from local.rehearsal.hosts import Host, read_user_data, start_host
from local.rehearsal.invocations import Invocations, change_environment
from local.rehearsal.journal import Entry, Journal, read_journal
from local.rehearsal.wanted import Home, TemplateRefused, Wanted, holds, known_types, make
from local.smoke.proofs import proofs
from local.smoke.table import to_text as smoke_table
from local.templates import read_settings
from stacks.user_data import HostFacts, render


class AnyClient:
    """An AWS that takes every call, and answers with what any of them may be asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Mapping[str, Any]:
            self.calls.append((name, arguments))
            return {"QueueUrl": "http://localhost/queue"}

        return call


def a_home(folder: Path = Path("nowhere"), client: Any = None) -> Home:
    return Home(
        lambda _service: client or AnyClient(),
        lambda _type, _name, _value: None,
        "123456789012",
        "us-east-1",
        "http://localhost:1",
        folder,
        "postgresql://owner@localhost/ledger",
    )


def a_wanted(type_: str, client: Any = None, **properties: Any) -> Wanted:
    return Wanted(a_home(client=client), type_, "Thing", ("nexus-dev-part", "stack-id"), properties)


@pytest.fixture(autouse=True)
def _models() -> None:
    models.load()


def test_a_type_that_nobody_knows_is_refused() -> None:
    with pytest.raises(TemplateRefused, match=r"AWS::Unheard::Of .*nobody knows this type"):
        make(a_wanted("AWS::Unheard::Of"))


def test_a_property_that_its_model_does_not_know_is_refused() -> None:
    with pytest.raises(TemplateRefused, match=r"AWS::SQS::Queue Thing: .* FifoThroughputLimit"):
        make(a_wanted("AWS::SQS::Queue", QueueName="q", FifoThroughputLimit="perQueue"))


def test_a_property_inside_a_lifecycle_rule_is_refused_as_well() -> None:
    rule = {"Id": "x", "Status": "Enabled", "NoncurrentVersionTransitions": []}
    with pytest.raises(TemplateRefused, match="NoncurrentVersionTransitions"):
        make(a_wanted("AWS::S3::Bucket", BucketName="b", LifecycleConfiguration={"Rules": [rule]}))


def test_a_missing_property_is_refused() -> None:
    with pytest.raises(TemplateRefused, match="has no Bucket"):
        make(a_wanted("AWS::S3::BucketPolicy", PolicyDocument={}))


def test_what_a_model_reads_reaches_the_api() -> None:
    client = AnyClient()
    made = make(
        a_wanted(
            "AWS::SQS::Queue",
            client,
            QueueName="q",
            VisibilityTimeout=30,
            RedrivePolicy={"maxReceiveCount": 5},
        )
    )
    assert made.attributes["Arn"] == "arn:aws:sqs:us-east-1:123456789012:q"
    [(call, arguments)] = client.calls
    assert call == "create_queue"
    assert arguments["Attributes"] == {"VisibilityTimeout": "30", "RedrivePolicy": '{"maxReceiveCount": 5}'}


def test_what_an_api_takes_and_forgets_is_noted() -> None:
    wanted = a_wanted("AWS::X::Y", Size="20", Config={"On": True, "Names": ["a"]}, Mode="fast")
    wanted.read_back(
        {"Size": 20, "Config": {"On": True, "Names": ["a"], "More": 1}}, "Size", "Config", "Mode"
    )
    assert wanted.unheld == ["Mode"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [("20", 21), (True, False), ({"A": 1}, {}), (["a"], ["a", "b"]), (["a", "b"], ["b", "a"]), ("x", None)],
)
def test_what_is_told_otherwise_is_not_held(asked: Any, told: Any) -> None:
    assert holds(asked, asked)
    assert not holds(asked, told)


def test_custom_resources_of_any_name_go_to_their_function() -> None:
    with pytest.raises(TemplateRefused, match="arn:of-nobody is no function of these stacks"):
        make(a_wanted("Custom::Anything", ServiceToken="arn:of-nobody", More="1"))


@pytest.mark.parametrize("most", [32, 63, 255])
def test_a_made_up_name_fits_and_stays_the_same(most: int) -> None:
    names = {a_wanted("AWS::S3::Bucket").given_name(most) for _ in range(2)}
    [name] = names
    assert len(name) <= most
    assert name.startswith("nexus-dev-part-")


def test_what_no_api_holds_needs_somebody_who_proves_it() -> None:
    def entry(type_: str, *unheld: str) -> Entry:
        return Entry("nexus-dev-part", type_, "Thing", "id", {}, {}, unheld, 0.0)

    found = unproven.not_proven([entry("AWS::S3::Bucket", "LoggingConfiguration")])
    assert {finding.state for finding in found} == {"not proven here"}
    assert "S3::Bucket" in {finding.subject for finding in found}
    with pytest.raises(TemplateRefused, match=r"AWS::S3::Bucket ObjectLockEnabled .* what proves it"):
        unproven.not_proven([entry("AWS::S3::Bucket", "ObjectLockEnabled")])


def test_proofs_by_the_smoke_test_are_lines_of_its_table() -> None:
    settings = read_settings("dev")
    clients: Any = None
    of_smoke = {name for name, _ in proofs(settings, clients, datetime(2026, 1, 1, tzinfo=UTC))}
    of_canary = {flight.SENT, flight.CHECKED, flight.JUDGED, flight.SCHEMAS, flight.CONNECTOR, flight.ALARMS}
    assert smoke_test.WELL.keys() == of_smoke | of_canary
    told = [proof for _, proof in unproven.ALWAYS] + list(unproven.UNHELD.values())
    told.append(unproven.NO_SMOKE.detail)
    quoted = {name for text in told for name in re.findall(r'"([^"]+)"', text)}
    assert quoted
    assert quoted <= of_smoke | of_canary


def test_types_with_unheld_properties_have_a_model() -> None:
    assert {type_ for type_, _ in unproven.UNHELD} <= known_types()


def test_a_look_that_finds_less_than_promised_fails() -> None:
    def look() -> str:
        require(False, "the door is open")
        return "closed"

    assert examine("door", look).state == "failed"
    assert examine("door", lambda: {"there": "x"}["missing"]).state == "failed"
    assert examine("door", lambda: "closed").state == "proven"
    with pytest.raises(NotAsPromised):
        require([], "nothing")


def test_the_table_never_adds_unproven_to_proven() -> None:
    findings = [
        Finding("a", "failed", "one\ntwo", 1.0),
        Finding("b", "not proven here", "smoke"),
        Finding("c", "proven", "seen", 0.1),
    ]
    text = to_text("rehearsal of dev", findings, 12.3)
    assert text.endswith("rehearsal of dev: 1 proven, 1 not proven here, 1 failed; 12 seconds")
    assert [line.split()[0] for line in text.splitlines()[1:4]] == ["c", "b", "a"]
    assert "\na:\ntwo\n" in text


def test_the_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    entry = Entry("s", "AWS::Lambda::Function", "F", "f", {"Arn": "arn:f"}, {"Code": {}}, ("X",), 0.5)
    journal.add(entry)
    assert read_journal(tmp_path / "journal.jsonl") == [entry]
    assert journal.with_attribute("AWS::Lambda::Function", "Arn", "arn:f") == entry
    assert journal.with_attribute("AWS::Lambda::Function", "Arn", "arn:g") is None


def test_nothing_of_a_persons_own_aws_is_seen(tmp_path: Path) -> None:
    found = aws_surroundings("http://localhost:1", "us-east-1", tmp_path)
    assert found["AWS_ENDPOINT_URL"] == "http://localhost:1"
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        assert not Path(found[name]).exists()


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


# `make smoke`, rehearsed


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


FACTS = HostFacts(
    service="ingest",
    module="grpc_ingest.server",
    region="us-east-1",
    stack="nexus-dev-ingest",
    group="IngestHosts",
    bucket="assets",
    key="artifact.tar.gz",
    sha256="0" * 64,
    health_port=8080,
    ready_within_s=480,
    settle_s=120,
    stop_s=30,
    environment={"NEXUS_BROKER": "b-1:9098,b-2:9098", "NEXUS_URL": "a=b&c=$HOME"},
)


def test_a_host_is_what_its_user_data_writes(tmp_path: Path) -> None:
    told, environment = read_user_data(render(FACTS), tmp_path / "host")
    assert (told["MODULE"], told["BUCKET"], told["KEY"]) == (
        "grpc_ingest.server",
        "assets",
        "artifact.tar.gz",
    )
    assert environment == FACTS.environment


@pytest.mark.parametrize(
    ("user_data", "why"),
    [
        (render(FACTS).replace("systemctl daemon-reload", "true"), "does not end with host_setup.sh"),
        (render(FACTS).replace("NEXUS_KEY=", "NO_KEY="), "NEXUS_KEY: unbound variable"),
    ],
)
def test_user_data_that_says_something_else_is_refused(user_data: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(NotAsPromised, match=why):
        read_user_data(user_data, tmp_path / "host")


PROBE = """
import os, pathlib
def there(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
names = [name for name in ("shared", "six", "local", "grpc_ingest", "pytest", "boto3") if there(name)]
pathlib.Path(os.environ["NEXUS_READY_FILE"]).write_text(" ".join([os.environ["MODE"], *names]))
"""


def test_a_host_finds_its_artifact_and_what_that_brings_and_no_more(tmp_path: Path) -> None:
    app, said = tmp_path / "app", tmp_path / "said"
    app.mkdir()
    (app / "probe.py").write_text(PROBE)
    (app / "shared.py").touch()
    scene: Any = SimpleNamespace(
        endpoint="http://localhost:1", folder=tmp_path, settings=SimpleNamespace(region="us-east-1")
    )
    brought = libraries(tmp_path / "libraries", ["six"])
    host = Host("probe", "probe", {"MODE": "deployed"}, tmp_path, brought)
    started = start_host(scene, host, {"NEXUS_READY_FILE": str(said)})
    assert started.child.process.wait() == 0, started.child.last_lines()
    assert said.read_text() == "deployed shared six"


def test_what_differs_here_is_told(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text()
    for name in (*hosts.CHANGED, *smoke_test.CHANGED, *life.AT_ONCE, "NEXUS_LEDGER_URL"):
        assert f"`{name}`" in page, f"docs/rehearsal.md does not say that {name} differs"
    scene: Any = SimpleNamespace()
    host = Host("probe", "probe", {}, tmp_path, tmp_path)
    with pytest.raises(AssertionError, match="NEXUS_LOG"):
        start_host(scene, host, {"NEXUS_LOG": "another"})


def test_the_table_of_smoke_is_read_as_it_is_printed() -> None:
    long = "in ALARM: " + ", ".join(f"nexus-dev-alarm-{number}" for number in range(20))
    checks = [
        Check("events acknowledged", "ok", "100 by 127.0.0.1:1", 12.3),
        Check("analysts' workgroup", "not checked", "these credentials may not ask", 0.0),
        Check("alarms", "failed", long, 0.1),
    ]
    found = smoke_test.lines(f"nexus-dev-canary runs\n{smoke_table(read_settings('dev'), checks)}")
    assert found == {check.name: (check.state, check.detail) for check in checks}
