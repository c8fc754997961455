"""What a host's role may do beside its work: fetch its artifact, say that it is ready, be managed, tell of itself."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk.aws_s3_assets import Asset

from stacks.base import NexusStack, give, statement

# Systems Manager: sessions for people, documents for the metrics agent. None of these names a resource.
_MANAGED = (
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ssm:DescribeAssociation",
    "ssm:DescribeDocument",
    "ssm:GetDocument",
    "ssm:GetManifest",
    "ssm:ListAssociations",
    "ssm:ListInstanceAssociations",
    "ssm:PutConfigurePackageResult",
    "ssm:UpdateAssociationStatus",
    "ssm:UpdateInstanceAssociationStatus",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
_WHY_MANAGED = (
    "Systems Manager's agent calls these for the instance it runs on, before AWS knows a resource to name."
)
_WHY_METRICS = "Metrics have no ARN; the namespace is the condition."


def add_host_role(
    stack: NexusStack,
    service: str,
    artifact: Asset,
    log_group: logs.LogGroup,
    may: Sequence[iam.PolicyStatement],
    why_so_wide: str,
) -> iam.Role:
    """`may` is the service's own work; whatever else is in it needs `why_so_wide`."""
    role = iam.Role(
        stack,
        f"{service.capitalize()}Role",
        assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
        description=f"What hosts of the service {service} of {stack.settings.environment} may do",
    )
    names = stack.names
    place = f"{stack.settings.region}:{stack.settings.account}"
    ours = f"arn:aws:cloudformation:{place}:stack/{names.stack(stack.name)}/*"
    object_ = f"arn:aws:s3:::{artifact.s3_bucket_name}/{artifact.s3_object_key}"
    give(role, [statement("FetchArtifact", ["s3:GetObject"], [object_])])
    give(
        role,
        [statement("SayReady", ["cloudformation:SignalResource"], [ours])],
        "The end of a stack's ARN is known only when it is there; the name is this stack's own.",
    )
    writes = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    give(role, [statement("WriteOwnLogs", writes, [log_group.log_group_arn])])
    ours_only = {"StringEquals": {"cloudwatch:namespace": names.metrics_namespace}}
    give(role, [statement("TellMetrics", ["cloudwatch:PutMetricData"], ["*"], ours_only)], _WHY_METRICS)
    give(role, [statement("BeManaged", _MANAGED, ["*"])], _WHY_MANAGED)
    give(role, may, why_so_wide)
    return role
