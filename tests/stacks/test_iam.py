"""Every role of every stack against the list of what it may do on which resource; and what no role may."""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache

import botocore.session
import pytest
from botocore import xform_name

from local.stack_docs.policies import Grant, grants_of_roles, managed, trusted
from local.templates import read_settings
from stacks.settings import Settings
from tests.stacks.allowed import ALLOWED, EVERYWHERE, NEVER
from tests.stacks.conftest import ROOT, Assembly, Compose
from tests.stacks.reading import resources, statements, text_of

BOUNDARY = "policy/nexus-boundary"


def grants(raw_templates: Compose, environment: str) -> Iterator[Grant]:
    """What the roles of an environment may do."""
    for name, template in raw_templates(environment).items():
        yield from grants_of_roles(name, dict(template), read_settings(environment))


def findings(granted: list[Grant]) -> list[str]:
    """Grants that the list does not have, and lines of the list that no role uses."""
    used, found = set(), []
    for one in granted:
        allowed = ALLOWED.get(f"{one.stack} {one.who}", {})
        lines = [r for r, actions in allowed.items() if one.action in actions and _covers(r, one.resource)]
        used |= {(f"{one.stack} {one.who}", line, one.action) for line in lines}
        if not lines:
            found.append(f"{one.stack} {one.who} may {one.action} on {one.resource}")
    there = {f"{one.stack} {one.who}" for one in granted}
    return found + [
        f"{role} may {action} on {line}, and has no use for it"
        for role in there & set(ALLOWED)
        for line, actions in ALLOWED[role].items()
        for action in sorted(actions)
        if (role, line, action) not in used
    ]


def _covers(allowed: str, resource: str) -> bool:
    """A pattern covers what it names; a `*` of the template's own is only covered by the very same text."""
    return allowed == resource or ("*" not in resource and fnmatchcase(resource, allowed) and allowed != "*")


def test_iam_roles_may_what_the_list_says_and_no_more(raw_templates: Compose, environment: str) -> None:
    assert findings(list(grants(raw_templates, environment))) == []


def test_iam_allows_by_listing_and_denies_nothing_by_the_way(
    raw_templates: Compose, environment: str
) -> None:
    assert {one.effect for one in grants(raw_templates, environment)} == {"Allow"}


def test_iam_names_actions_one_by_one(raw_templates: Compose, environment: str) -> None:
    assert [one for one in grants(raw_templates, environment) if "*" in one.action] == []


def test_iam_names_resources_wherever_aws_knows_them(raw_templates: Compose, environment: str) -> None:
    wide = {one.action for one in grants(raw_templates, environment) if one.resource == "*"}
    assert wide <= EVERYWHERE


def test_iam_lets_nobody_give_rights_or_take_away_what_keeps_the_lake(
    raw_templates: Compose, environment: str
) -> None:
    found = [
        one
        for one in grants(raw_templates, environment)
        if any(fnmatchcase(one.action, never) for never in NEVER)
    ]
    assert found == []


def test_iam_writes_to_bronze_are_the_landers_and_the_erasers(
    raw_templates: Compose, environment: str
) -> None:
    writers = {
        f"{one.stack} {one.who}"
        for one in grants(raw_templates, environment)
        if one.action == "s3:PutObject" and one.resource.startswith("s3:::<prefix>-bronze")
    }
    assert writers <= {
        "storage ErasureRole",
        "ingest WriterRole",
        "connect ConnectorRole",
        "orchestration AirflowRole",  # files of batches
    }


def test_iam_uses_the_lakes_key_through_s3_alone(raw_templates: Compose, environment: str) -> None:
    for one in grants(raw_templates, environment):
        if one.resource.endswith("LakeKey"):
            services = set(re.findall(r"(\w+)\.<region>\.amazonaws\.com", one.condition))
            # Celery's queues are MWAA's own, and as encrypted as what is in its bucket
            assert services, one
            assert services <= ({"s3", "sqs"} if one.who == "AirflowRole" else {"s3"}), one
            assert '"kms:ViaService"' in one.condition, one


def test_iam_roles_stay_within_the_boundary(raw_templates: Compose, environment: str) -> None:
    for name, template in raw_templates(environment).items():
        for id_, role in resources(template, "AWS::IAM::Role").items():
            assert str(role.get("PermissionsBoundary", "")).endswith(BOUNDARY), f"{name}.{id_}"


def test_iam_roles_hold_no_policy_of_aws(raw_templates: Compose, environment: str) -> None:
    settings = read_settings(environment)
    assert {
        name: managed(dict(t), settings)
        for name, t in raw_templates(environment).items()
        if managed(dict(t), settings)
    } == {}


def test_iam_has_no_users_and_says_what_each_role_is_for(raw_templates: Compose, environment: str) -> None:
    for name, template in raw_templates(environment).items():
        for kind in ("User", "AccessKey", "Group", "ManagedPolicy"):
            assert not resources(template, f"AWS::IAM::{kind}")
        for id_, role in resources(template, "AWS::IAM::Role").items():
            # CodeDeploy's is CDK's own
            assert role.get("Description") or id_.startswith("CheckRowsDeployer"), f"{name}.{id_}"


def test_iam_roles_may_something(raw_templates: Compose, environment: str) -> None:
    """A policy that is attached to nobody takes its rights along, and findings above see nothing."""
    for name, template in raw_templates(environment).items():
        assert set(resources(template, "AWS::IAM::Role")) == {one.owner for one in statements(template)}, name


def test_iam_statements_of_a_role_have_names_of_their_own(raw_templates: Compose, environment: str) -> None:
    """IAM refuses a policy in which two statements share a name."""
    for name, template in raw_templates(environment).items():
        found = [(one.owner, one.sid) for one in statements(template) if one.sid]
        assert {one for one in found if found.count(one) > 1} == set(), name


def test_iam_roles_are_assumed_by_one_service_or_by_people_of_the_account(
    raw_templates: Compose, environment: str
) -> None:
    settings: Settings = read_settings(environment)
    people = {"ErasureRole", "AnalystsRole", "AuditorRole"}
    for name, template in raw_templates(environment).items():
        for role, who in trusted(dict(template), settings).items():
            expected = "iam::<account>:root" if role in people else ".amazonaws.com"
            assert who.endswith(expected), f"{name}.{role} is assumed by {who}"
            assert "anyone" not in who


def test_iam_keys_are_for_roles_of_the_account_and_for_services_that_must(
    raw_templates: Compose, environment: str
) -> None:
    """The account's roles use a key as their own policies say; a service needs a word in the key's."""
    account = f"arn:aws:iam::{read_settings(environment).account}:root"
    templates = raw_templates(environment)
    services = {"observability": {"cloudwatch.amazonaws.com", "budgets.amazonaws.com"}}
    if "orchestration" in templates:
        services["storage"] = {
            "logs.us-east-1.amazonaws.com"
        }  # Airflow's logs are as encrypted as its bucket
    for name, template in templates.items():
        for id_, key in resources(template, "AWS::KMS::Key").items():
            principals = [one["Principal"] for one in key["KeyPolicy"]["Statement"]]
            assert {"AWS": account} in principals, f"{name}.{id_}: nobody could ever change it"
            others = {text_of(one["Service"]) for one in principals if one != {"AWS": account}}
            assert others == services.get(name, set()), f"{name}.{id_}"
            assert key["EnableKeyRotation"] is True, f"{name}.{id_}"


# Permissions that have another name than their call.
RIGHTS = {
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
CALLED = ("cloudformation", "cloudwatch", "glue", "kafka", "lambda", "s3", "secretsmanager", "sqs")


@cache
def actions_of(call: str) -> frozenset[str]:
    """What a role needs for a call of boto3, by its name alone; several where services share it; none for others."""
    found = set()
    for service in CALLED:
        for operation in botocore.session.get_session().get_service_model(service).operation_names:
            if xform_name(operation) == call:
                found.add(RIGHTS.get(f"{service}:{operation}", f"{service}:{operation}"))
    return frozenset(found)


@pytest.mark.parametrize(
    "package", sorted(path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py"))
)
def test_iam_lets_functions_call_what_their_own_code_calls(
    undeployed: Callable[[str], Assembly], package: str
) -> None:
    """The local AWS lets everybody do everything: there a missing right is not seen."""
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "lambdas" / package).glob("*.py"))
    calls = set(re.findall(r"\.([a-z0-9]+(?:_[a-z0-9]+)+)\(", code))
    calls |= set(re.findall(r'get_(?:paginator|waiter)\("(\w+)"\)', code))
    handler = f"lambdas.{package}.handler.lambda_handler"
    [(template, function)] = [
        (template, function)
        for template in undeployed("prod").templates.values()
        for function in resources(template, "AWS::Lambda::Function").values()
        if function["Handler"] == handler
    ]
    role = text_of(function["Role"]).removesuffix(".Arn")
    may = {action for one in statements(template) if one.owner == role for action in one.actions}
    assert {call for call in calls if actions_of(call) and not actions_of(call) & may} == set()


def test_iam_knows_the_action_of_a_call() -> None:
    assert actions_of("get_queue_attributes") == {"sqs:GetQueueAttributes"}
    assert actions_of("list_objects_v2") == {"s3:ListBucket"}
    assert actions_of("json_dumps") == frozenset()


@pytest.mark.parametrize(
    ("action", "resource", "finds"),
    [
        ("s3:GetObject", "s3:::<prefix>-bronze/*", 0),
        ("s3:GetObject", "s3:::<prefix>-gold/*", 1),
        ("s3:DeleteObject", "s3:::<prefix>-bronze/*", 1),
        ("s3:GetObject", "*", 1),
        ("iam:PassRole", "*", 1),
    ],
)
def test_iam_findings_are_found(action: str, resource: str, finds: int) -> None:
    granted = [Grant("processing", "CheckRowsRole", action, resource, "Allow", "")]
    assert len([line for line in findings(granted) if "has no use" not in line]) == finds
