"""The rehearsal's own rules: nothing unknown is skipped, nothing unheld is proven, only what is deployed runs."""

import json
import re
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import RuntimeFault
from lambdas.canary import flight
from local.rehearsal import custom, kafka_api, models, moto_gaps, unproven
from local.rehearsal.cdk_command import aws_surroundings
from local.rehearsal.deployed import Deployed, Running
from local.rehearsal.engine import Engine
from local.rehearsal.findings import Finding, NotAsPromised, examine, require, to_text
from local.rehearsal.journal import Entry, Journal, read_journal
from local.rehearsal.wanted import Home, TemplateRefused, Wanted, holds, known_types, make
from local.smoke.proofs import proofs
from local.templates import read_settings


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
        lambda _arn: None,
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
    told = [proof for _, proof in unproven.ALWAYS] + list(unproven.UNHELD.values())
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
    return Deployed("thing", "arn:thing", "ours.answer", {"MODE": "deployed"}, 2, 128, (), package)


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
    for hook in (*engine.hooks(), *moto_gaps.hooks(), *kafka_api.hooks()):
        assert callable(getattr(hook.owner, hook.name)), f"{hook} is gone: moto has changed"
