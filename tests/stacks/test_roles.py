"""Who may do what: every role of these stacks against the list of what it needs."""

import pytest

from tests.stacks.conftest import Compose
from tests.stacks.reading import resources, statements

READ_OBJECTS = {"s3:GetObject", "kms:Decrypt"}
WRITE_OBJECTS = {
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "kms:Decrypt",
    "kms:GenerateDataKey",
}
LIST_BUCKETS = {"s3:GetBucketLocation", "s3:ListBucket"}
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
NETWORK = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
ASK = {
    "athena:BatchGetNamedQuery",
    "athena:BatchGetQueryExecution",
    "athena:GetNamedQuery",
    "athena:GetQueryExecution",
    "athena:GetQueryResults",
    "athena:GetWorkGroup",
    "athena:ListNamedQueries",
    "athena:ListQueryExecutions",
    "athena:StartQueryExecution",
    "athena:StopQueryExecution",
}
READ_TABLES = {
    "glue:BatchGetPartition",
    "glue:GetDatabase",
    "glue:GetDatabases",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
}
ERASE = {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion"}

# role (without the hash at its end) → all of its actions
ALLOWED = {
    "network": {"FlowLogsRole": {*LOGS, "logs:DescribeLogStreams"}},
    "storage": {"ErasureRole": LIST_BUCKETS | READ_OBJECTS | WRITE_OBJECTS | ERASE},
    "catalog": {
        "AnalystsRole": ASK | READ_TABLES | LIST_BUCKETS | READ_OBJECTS | WRITE_OBJECTS,
        "CheckSchemasRole": {*LOGS, "glue:GetSchemaVersion"},
    },
    "database": {
        "MigrateLedgerRole": {*LOGS, *NETWORK, "secretsmanager:GetSecretValue", "kms:Decrypt"},
        "ProxyRole": {"rds-db:connect"},
    },
}
# statements that name no resource, because AWS offers nothing narrower
EVERYWHERE = {("CheckSchemasRole", "ReadSchemaVersions"), ("MigrateLedgerRole", "LiveInNetwork")}


@pytest.mark.parametrize("stack", ALLOWED)
def test_roles_may_do_what_they_need_and_no_more(
    raw_templates: Compose, environment: str, stack: str
) -> None:
    template = raw_templates(environment)[stack]
    found: dict[str, set[str]] = {name[:-8]: set() for name in resources(template, "AWS::IAM::Role")}
    for one in statements(template):
        assert one.effect == "Allow"
        found[one.owner[:-8]] |= set(one.actions)
    expected = {
        role: actions for role, actions in ALLOWED[stack].items() if role in found or role != "ProxyRole"
    }
    assert found == expected


def test_roles_have_no_wildcard_action_and_no_policy_of_aws(raw_templates: Compose, environment: str) -> None:
    for name, template in raw_templates(environment).items():
        for one in statements(template):
            assert not [action for action in one.actions if "*" in action], f"{name}.{one.owner}.{one.sid}"
        for role, properties in resources(template, "AWS::IAM::Role").items():
            assert "ManagedPolicyArns" not in properties, f"{name}.{role} takes a policy that AWS may widen"
        assert not resources(template, "AWS::IAM::User")


def test_roles_statements_have_names_of_their_own(raw_templates: Compose, environment: str) -> None:
    """IAM refuses a policy in which two statements share a name."""
    for name, template in raw_templates(environment).items():
        found = [(one.owner, one.sid) for one in statements(template) if one.sid]
        doubles = {one for one in found if found.count(one) > 1}
        assert not doubles, f"{name}: {doubles}"


@pytest.mark.parametrize("stack", ALLOWED)
def test_roles_name_their_resources(raw_templates: Compose, environment: str, stack: str) -> None:
    template = raw_templates(environment)[stack]
    everywhere = {(one.owner[:-8], one.sid) for one in statements(template) if "*" in one.resources}
    assert everywhere == {one for one in EVERYWHERE if one[0] in ALLOWED[stack]}


@pytest.mark.parametrize("stack", ALLOWED)
def test_roles_are_assumed_by_one_service_or_the_account(
    raw_templates: Compose, environment: str, stack: str
) -> None:
    for name, properties in resources(raw_templates(environment)[stack], "AWS::IAM::Role").items():
        [trust] = properties["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Action"] == "sts:AssumeRole"
        assert list(trust["Principal"]) in (["Service"], ["AWS"]), name
        assert properties["Description"]
