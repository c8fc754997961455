"""The rehearsal's own rules: nothing unknown is skipped, nothing unheld is proven, only what is deployed runs."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lambdas.canary import flight
from lambdas.canary.checks import Check
from local.rehearsal import (
    models,
    smoke_test,
    unproven,
)
from local.rehearsal.cdk_command import aws_surroundings
from local.rehearsal.findings import Finding, NotAsPromised, examine, require, to_text
from local.rehearsal.journal import Entry, Journal, read_journal
from local.rehearsal.wanted import TemplateRefused, holds, known_types, make
from local.smoke.proofs import proofs
from local.smoke.table import to_text as smoke_table
from local.templates import read_settings
from tests.fakes.rehearsed import AnyClient, a_wanted


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


def test_the_table_of_smoke_is_read_as_it_is_printed() -> None:
    long = "in ALARM: " + ", ".join(f"nexus-dev-alarm-{number}" for number in range(20))
    checks = [
        Check("events acknowledged", "ok", "100 by 127.0.0.1:1", 12.3),
        Check("analysts' workgroup", "not checked", "these credentials may not ask", 0.0),
        Check("alarms", "failed", long, 0.1),
    ]
    found = smoke_test.lines(f"nexus-dev-canary runs\n{smoke_table(read_settings('dev'), checks)}")
    assert found == {check.name: (check.state, check.detail) for check in checks}
