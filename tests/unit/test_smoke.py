"""`make smoke`: what it proves on an account, what it prints, and what it says when it cannot run."""

import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.stub import Stubber

from lakehouse.errors import InputError, RuntimeFault
from lambdas.canary.checks import Check, Found
from local.smoke import __main__ as smoke
from local.smoke.proofs import (
    Clients,
    certificate,
    ledger,
    overwriting,
    proofs,
    prove,
    subscriptions,
    topics,
    workgroup,
)
from local.smoke.table import to_text
from local.templates import read_settings

DEV = read_settings("dev")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def asked(service: str, operation: str, answer: Mapping[str, Any], times: int = 1) -> Any:
    """A client that gives this answer, of the form that AWS's own model demands."""
    client = boto3.client(service, region_name="us-east-1")
    stubber = Stubber(client)
    for _ in range(times):
        stubber.add_response(operation, dict(answer))
    stubber.activate()
    return client


def refusing(service: str, operation: str, code: str, message: str = "") -> Any:
    client = boto3.client(service, region_name="us-east-1")
    stubber = Stubber(client)
    stubber.add_client_error(operation, code, message)
    stubber.activate()
    return client


# overwriting


@pytest.mark.parametrize(
    ("code", "message", "state"),
    [
        (
            "AccessDenied",
            "User: x is not authorized ... with an explicit deny in a resource-based policy",
            "ok",
        ),
        (
            "AccessDenied",
            "... because no identity-based policy allows the s3:PutObject action",
            "not checked",
        ),
        ("BadDigest", "The Content-MD5 you specified did not match what we received.", "failed"),
        ("NoSuchBucket", "The specified bucket does not exist", "failed"),
    ],
)
def test_overwriting_is_proven_by_the_buckets_own_denial(code: str, message: str, state: str) -> None:
    found = prove(lambda: overwriting(refusing("s3", "put_object", code, message), "lake-bronze"))
    assert found.state == state


def test_overwriting_that_was_taken_names_what_to_remove() -> None:
    found = overwriting(asked("s3", "put_object", {}), "lake-bronze")
    assert (found.state, "s3://lake-bronze/_smoke/" in found.detail) == ("failed", True)


def test_overwriting_is_tried_with_a_body_that_s3_keeps_in_no_case() -> None:
    sent: dict[str, Any] = {}

    def put_object(**arguments: Any) -> None:
        sent.update(arguments)
        raise ClientError({"Error": {"Code": "BadDigest"}}, "PutObject")

    overwriting(SimpleNamespace(put_object=put_object), "lake-bronze")
    assert "IfNoneMatch" not in sent
    assert sent["Body"] != b"", "the digest is that of nothing"
    assert sent["ContentMD5"] == "1B2M2Y8AsgTpgAmY7PhCfg=="


# certificate


def a_certificate(**changes: Any) -> dict[str, Any]:
    plain = {
        "Status": "ISSUED",
        "DomainName": "ingest.dev.example.com",
        "NotAfter": NOW + timedelta(days=90),
    }
    return {"Certificate": plain | changes}


@pytest.mark.parametrize(
    ("changes", "state", "says"),
    [
        ({}, "ok", "90 days left"),
        ({"DomainName": "*.dev.example.com"}, "ok", "ingest.dev.example.com"),
        ({"DomainName": "x.y", "SubjectAlternativeNames": ["ingest.dev.example.com"]}, "ok", "90 days"),
        ({"Status": "PENDING_VALIDATION"}, "failed", "PENDING_VALIDATION"),
        ({"DomainName": "*.example.com"}, "failed", "not for ingest.dev.example.com"),
        ({"NotAfter": NOW + timedelta(days=29)}, "failed", "ends in 29 days"),
    ],
)
def test_certificate_is_issued_for_the_name_and_lasts(changes: dict[str, Any], state: str, says: str) -> None:
    found = certificate(asked("acm", "describe_certificate", a_certificate(**changes)), DEV, NOW)
    assert found.state == state
    assert says in found.detail


# topics


def kafka(
    replicas: int = 3, configs: str = "min.insync.replicas=2\nretention.ms=1\n", clusters: int = 1
) -> Any:
    import base64

    named = {"ClusterName": "nexus-dev-kafka", "ClusterArn": "arn:aws:kafka:us-east-1:1:cluster/x"}
    encoded = base64.b64encode(configs.encode()).decode()
    return SimpleNamespace(
        list_clusters_v2=lambda **_: {"ClusterInfoList": [named] * clusters},
        describe_topic=lambda **_: {"ReplicationFactor": replicas, "Configs": encoded},
    )


@pytest.mark.parametrize(
    ("client", "state"),
    [
        (kafka(), "ok"),
        (kafka(configs="min.insync.replicas=1\n"), "failed"),
        (kafka(configs=""), "failed"),
        (kafka(replicas=2), "failed"),
        (kafka(clusters=0), "failed"),
    ],
)
def test_topics_are_asked_for_as_they_are(client: Any, state: str) -> None:
    assert topics(client, "nexus-dev-kafka").state == state


def test_topics_proof_asks_what_boto3_knows() -> None:
    model = boto3.client("kafka", region_name="us-east-1").meta.service_model
    answer = model.operation_model("DescribeTopic").output_shape
    assert {"ReplicationFactor", "Configs"} <= set(answer.members)


# ledger, workgroup, subscriptions


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"PubliclyAccessible": True}, "failed"),
        ({"StorageEncrypted": False}, "failed"),
        ({"IAMDatabaseAuthenticationEnabled": False}, "failed"),
    ],
)
def test_ledger_is_private(changes: dict[str, Any], state: str) -> None:
    plain = {"PubliclyAccessible": False, "StorageEncrypted": True, "IAMDatabaseAuthenticationEnabled": True}
    answer = {"DBInstances": [plain | changes]}
    assert ledger(asked("rds", "describe_db_instances", answer), "nexus-dev-ledger").state == state


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"EnforceWorkGroupConfiguration": False}, "failed"),
        ({"ResultConfiguration": {}}, "failed"),
        ({"BytesScannedCutoffPerQuery": None}, "failed"),
    ],
)
def test_workgroup_enforces_output_and_limit(changes: dict[str, Any], state: str) -> None:
    plain = {
        "EnforceWorkGroupConfiguration": True,
        "ResultConfiguration": {"OutputLocation": "s3://results/analysts/"},
        "BytesScannedCutoffPerQuery": 10 * 1024**3,
    }
    configuration = {name: value for name, value in (plain | changes).items() if value is not None}
    answer = {"WorkGroup": {"Name": "nexus-dev-analysts", "Configuration": configuration}}
    assert workgroup(asked("athena", "get_work_group", answer), "nexus-dev-analysts").state == state


@pytest.mark.parametrize(
    ("endpoint", "arn", "state"),
    [
        (DEV.observability.alarm_address, "arn:aws:sns:us-east-1:1:t:s", "ok"),
        (DEV.observability.alarm_address, "PendingConfirmation", "failed"),
        ("else@example.com", "arn:aws:sns:us-east-1:1:t:s", "failed"),
    ],
)
def test_alarms_reach_an_address_that_has_confirmed(endpoint: str, arn: str, state: str) -> None:
    answer = {"Subscriptions": [{"Endpoint": endpoint, "SubscriptionArn": arn}]}
    client = asked("sns", "list_subscriptions_by_topic", answer)
    assert subscriptions(client, DEV, "nexus-dev-alarms").state == state


def test_proof_that_may_not_be_asked_for_is_not_checked() -> None:
    client = refusing("rds", "describe_db_instances", "AccessDenied", "User is not authorized")
    found = prove(lambda: ledger(client, "nexus-dev-ledger"))
    assert found.state == "not checked"
    assert "may not ask" in found.detail


def test_proof_of_what_is_not_there_fails() -> None:
    client = refusing("rds", "describe_db_instances", "DBInstanceNotFound", "not found")
    assert prove(lambda: ledger(client, "nexus-dev-ledger")).state == "failed"


# the canary's run


def a_lambda(payload: Any, **more: Any) -> Any:
    answer = {"Payload": io.BytesIO(json.dumps(payload).encode()), **more}
    return SimpleNamespace(invoke=lambda **_: answer)


ONE = {"name": "verdicts", "state": "ok", "detail": "97 in Silver", "seconds": 0.1}


def test_canary_answers_with_its_checks() -> None:
    found = smoke.run_canary(a_lambda({"run": "r", "checks": [ONE]}), "nexus-dev-canary", "dev")
    assert found == [Check("verdicts", "ok", "97 in Silver", 0.1)]


def test_canary_that_broke_names_its_log() -> None:
    broken = a_lambda({"errorType": "KeyError", "errorMessage": "x"}, FunctionError="Unhandled")
    with pytest.raises(RuntimeFault, match=r"KeyError: x.*/aws/lambda/nexus-dev-canary"):
        smoke.run_canary(broken, "nexus-dev-canary", "dev")


def test_canary_that_is_not_there_says_deploy() -> None:
    client = refusing("lambda", "invoke", "ResourceNotFoundException", "Function not found")
    with pytest.raises(InputError, match="no function nexus-dev-canary: `make deploy ENV=dev` first"):
        smoke.run_canary(client, "nexus-dev-canary", "dev")


def test_credentials_that_are_none_are_asked_for() -> None:
    def away() -> None:
        raise NoCredentialsError

    with pytest.raises(InputError, match="no AWS credentials: sign in to account 111111111111"):
        smoke.require_credentials(SimpleNamespace(get_caller_identity=away), DEV)


# the command


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command with these states of the canary's and the account's checks, for this account."""

    def go(canary: str = "ok", proof: str = "ok", account: str = DEV.account) -> int:
        clients = {
            "sts": SimpleNamespace(get_caller_identity=lambda: {"Account": account}),
            "lambda": a_lambda({"checks": [ONE | {"state": canary}]}),
        }
        fake = SimpleNamespace(client=lambda name, **_: clients.get(name))
        monkeypatch.setattr(smoke, "boto3", fake)
        found = Found(proof, "told")  # type: ignore[arg-type]
        monkeypatch.setattr(smoke, "proofs", lambda *_: [("ledger is private", lambda: found)])
        monkeypatch.setattr(smoke, "Clients", SimpleNamespace(connect=lambda _region: None))
        return smoke.main(["dev"])

    return go


@pytest.mark.parametrize(
    ("canary", "proof", "code"),
    [("ok", "ok", 0), ("ok", "not checked", 0), ("failed", "ok", 1), ("ok", "failed", 1)],
)
def test_command_ends_with_1_when_a_check_failed(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], canary: str, proof: str, code: int
) -> None:
    assert run(canary, proof) == code
    out = capsys.readouterr().out
    assert "verdicts" in out
    assert "ledger is private" in out


def test_command_with_credentials_of_another_account_does_nothing(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(account="999999999999") == 3
    told = capsys.readouterr()
    assert "999999999999" in told.err
    assert told.out == ""


def test_table_fits_a_terminal_and_counts() -> None:
    checks = [
        Check("events checked", "failed", "word " * 60, 300.25),
        Check("connector", "not checked", "this environment lands by the writer", 0.0),
    ]
    lines = to_text(DEV, checks).splitlines()
    assert max(map(len, lines)) <= 118
    assert lines[0].split() == ["check", "state", "seconds", "found"]
    assert lines[-1] == "dev in 111111111111: 1 failed, 1 not checked"


def test_proofs_are_made_of_clients_that_boto3_has() -> None:
    clients = Clients.connect("us-east-1")
    assert [name for name, _ in proofs(DEV, clients, NOW)] == [
        "certificate",
        "topics lose nothing",
        "Bronze refuses overwriting",
        "ledger is private",
        "analysts' workgroup",
        "alarms reach somebody",
    ]
