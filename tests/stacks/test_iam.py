"""Every role of every stack against the list of what it may do on which resource; and what no role may."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from local.stack_docs.policies import Grant, grants_of_roles, managed, trusted
from local.templates import read_settings
from stacks.settings import Settings
from tests.stacks.allowed import ALLOWED, EVERYWHERE, NEVER
from tests.stacks.conftest import Compose
from tests.stacks.reading import resources

BOUNDARY = "policy/nexus-boundary"


def grants(raw_templates: Compose, environment: str) -> Iterator[Grant]:
    """What the roles of an environment may do; orchestration is tested where it is composed."""
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
        "ingest CanaryRole",
    }


def test_iam_uses_the_lakes_key_through_s3_alone(raw_templates: Compose, environment: str) -> None:
    for one in grants(raw_templates, environment):
        if one.resource.endswith("LakeKey"):
            assert '"kms:ViaService": "s3.<region>.amazonaws.com"' in one.condition, one


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
