"""Whose credentials these are, and which stacks are there: asked before anything is changed."""

from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from lakehouse.errors import InputError, RuntimeFault
from local import sleep, stateful_diff, teardown
from local.account import deployed, holds_state, in_words, require_account
from local.templates import read_settings
from stacks.naming import Names

DEV = read_settings("dev")
NAMES = Names("dev", DEV.bucket_prefix)


@pytest.fixture
def another_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto's, which is nobody's in cdk.json."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "none")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def test_account_of_the_credentials_must_be_the_environments(another_account: None) -> None:
    sts = boto3.client("sts", region_name=DEV.region)
    with pytest.raises(InputError, match=r"are of account 123456789012; dev lives in 111111111111"):
        require_account(sts, DEV)
    require_account(sts, read_settings("dev", account="123456789012"))


def test_account_of_somebody_else_is_left_alone(
    another_account: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (sleep, teardown, stateful_diff):
        monkeypatch.setattr(module, "read_templates", lambda _: {})
    ran = [
        sleep.main(["dev", "--cdk", "false"]),
        sleep.main(["dev", "--wake", "--cdk", "false"]),
        teardown.main(["dev", "--confirm", "dev", "--cdk", "false"]),
        stateful_diff.main(["dev"]),
    ]
    assert ran == [3, 3, 3, 3]
    assert capsys.readouterr().err.count("dev lives in 111111111111") == 4


def test_account_has_the_stacks_that_were_deployed(another_account: None) -> None:
    cloudformation = boto3.client("cloudformation", region_name=DEV.region)
    template = '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}'
    cloudformation.create_stack(StackName=NAMES.stack("storage"), TemplateBody=template)
    assert deployed(cloudformation, NAMES, ["storage", "network"]) == ["storage"]
    assert stateful_diff.read_deployed(cloudformation, NAMES, ["storage", "network"]) == {
        "storage": {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    }
    cloudformation.delete_stack(StackName=NAMES.stack("storage"))
    assert deployed(cloudformation, NAMES, ["storage"]) == []


def test_stack_holds_state_when_something_of_it_is_retained() -> None:
    assert holds_state({"Resources": {"A": {"DeletionPolicy": "Delete"}, "B": {"DeletionPolicy": "Retain"}}})
    assert not holds_state({"Resources": {"A": {"DeletionPolicy": "Delete"}, "B": {}}})


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), ClientError({"Error": {"Code": "ExpiredToken"}}, "DescribeStacks")]
)
def test_refusal_of_aws_is_said_with_what_to_look_at(error: Exception) -> None:
    with pytest.raises(RuntimeFault, match="Check credentials and region"), in_words():
        raise error
