"""What hosts may do: their own work and no more."""

from collections.abc import Mapping

import pytest

from lakehouse.catalog import load_entities
from tests.stacks.conftest import Compose
from tests.stacks.hosts import ingest, may, rights, settings_of
from tests.stacks.reading import Statement


def kafka(found: list[Statement]) -> Mapping[str, set[str]]:
    """Actions by the kind of thing: cluster, topic, group."""
    allowed: dict[str, set[str]] = {}
    for resource, actions in may(found, "kafka-cluster").items():
        kind = next((k for k in ("topic", "group") if f":{k}/" in resource), "cluster")
        assert not resource.endswith("*")
        allowed.setdefault(kind, set()).update(actions)
    return allowed


def test_host_writes_topics_and_finds_schemas_and_no_more(raw_templates: Compose, environment: str) -> None:
    found = rights(ingest(raw_templates, environment), "IngestRole")
    assert kafka(found) == {
        "cluster": {"kafka-cluster:Connect", "kafka-cluster:WriteDataIdempotently"},
        "topic": {"kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"},
    }
    assert len([r for r in may(found, "kafka-cluster") if ":topic/" in r]) == len(load_entities())
    assert len(may(found, "s3")) == 1, "its artifact"
    glue = {action for actions in may(found, "glue").values() for action in actions}
    assert glue == {"glue:GetSchemaByDefinition", "glue:GetSchemaVersion"}


def test_writer_reads_topics_and_writes_bronze_and_no_more(raw_templates: Compose, environment: str) -> None:
    found = rights(ingest(raw_templates, environment), "WriterRole")
    assert kafka(found) == {
        "cluster": {"kafka-cluster:Connect"},
        "topic": {"kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"},
        "group": {"kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"},
    }
    [group] = [r for r in may(found, "kafka-cluster") if ":group/" in r]
    assert "nexus-bronze-writer" in group
    bronze = f"arn:aws:s3:::{settings_of(environment).buckets.bronze}"
    objects = {r: a for r, a in may(found, "s3").items() if r.startswith(bronze)}
    assert objects == {
        bronze: {"s3:GetBucketLocation", "s3:ListBucket"},
        f"{bronze}/*": {
            "s3:AbortMultipartUpload",
            "s3:GetObject",
            "s3:ListMultipartUploadParts",
            "s3:PutObject",
        },
    }
    assert len(may(found, "s3")) == 3, "and its artifact"


@pytest.mark.parametrize("role", ["IngestRole", "WriterRole"])
def test_hosts_may_signal_their_own_stack_and_tell_metrics_of_ours(
    raw_templates: Compose, environment: str, role: str
) -> None:
    found = rights(ingest(raw_templates, environment), role)
    [stack] = may(found, "cloudformation")
    assert f":stack/nexus-{environment}-ingest/" in stack
    [metrics] = [one for one in found if "cloudwatch:PutMetricData" in one.actions]
    assert "KeystoneNexus" in metrics.conditions
    actions = {action for one in found for action in one.actions}
    assert not [
        a for a in actions if a.startswith(("iam:", "sts:", "secretsmanager:", "ssm:GetParameter", "ec2:"))
    ]
