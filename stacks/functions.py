"""A Lambda function of ours: arm64, its log group with retention, a role that may do what is listed and no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from stacks.assets import Assets
from stacks.base import NexusStack, acknowledge, give, statement
from stacks.layers import pandas_layer_arn

RUNTIME = lambda_.Runtime.PYTHON_3_13
_NETWORK_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
_ANY_INTERFACE = "Lambda asks for these actions on any network interface; AWS offers nothing narrower."


@dataclass(frozen=True)
class Place:
    """Where in the network a function runs."""

    vpc: ec2.IVpc
    security_group: ec2.ISecurityGroup


@dataclass(frozen=True)
class FunctionSpec:
    """`package` is the folder in `lambdas/`; its `handler.lambda_handler` is called."""

    package: str
    description: str
    timeout: Duration
    memory_mib: int = 256
    environment: Mapping[str, str] = field(default_factory=dict)
    may: Sequence[iam.PolicyStatement] = ()
    why_so_wide: str = ""  # of resources with a wildcard that are no S3 objects
    place: Place | None = None
    pandas: bool = True  # the managed layer with pyarrow: what imports `lakehouse.bronze` needs it
    layers: Sequence[lambda_.ILayerVersion] = ()  # of ours, beside the managed one
    most_at_once: int | None = None


def add_function(stack: NexusStack, id_: str, spec: FunctionSpec, assets: Assets) -> lambda_.Function:
    """The function, its role and its log group, in this stack."""
    log_group = _add_logs(stack, id_, spec)
    role = _add_role(stack, id_, spec, log_group)
    place = spec.place
    function = lambda_.Function(
        stack,
        id_,
        function_name=stack.names.function(spec.package),
        description=spec.description,
        runtime=RUNTIME,
        architecture=lambda_.Architecture.ARM_64,
        handler=f"lambdas.{spec.package}.handler.lambda_handler",
        code=assets.function(spec.package),
        layers=[*([_pandas_layer(stack, id_)] if spec.pandas else []), *spec.layers],
        role=role.without_policy_updates(),
        log_group=log_group,
        timeout=spec.timeout,
        memory_size=spec.memory_mib,
        environment=dict(spec.environment),
        vpc=place.vpc if place else None,
        vpc_subnets=ec2.SubnetSelection(subnet_group_name="private") if place else None,
        security_groups=[place.security_group] if place else None,
        reserved_concurrent_executions=spec.most_at_once,
        recursive_loop=lambda_.RecursiveLoop.TERMINATE,  # a backstop: no function is called by what it writes
    )
    # AWS refuses a function whose role cannot reach the network
    function.node.add_dependency(role.node.find_child("DefaultPolicy"))
    acknowledge(
        function,
        "AwsSolutions-L1",
        "The managed layer is pinned for this version of Python; they move together.",
    )
    return function


def _add_logs(stack: NexusStack, id_: str, spec: FunctionSpec) -> logs.LogGroup:
    return logs.LogGroup(
        stack,
        f"{id_}Logs",
        log_group_name=stack.names.function_logs(spec.package),
        retention=log_retention(stack.settings.observability.log_days),
        removal_policy=RemovalPolicy.DESTROY,  # its name is fixed: left behind, it would stop the next deployment
    )


def _add_role(stack: NexusStack, id_: str, spec: FunctionSpec, log_group: logs.LogGroup) -> iam.Role:
    role = iam.Role(
        stack,
        f"{id_}Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        description=f"What the function {spec.package} of {stack.settings.environment} may do",
    )
    writes_logs = ["logs:CreateLogStream", "logs:PutLogEvents"]
    give(role, [statement("WriteOwnLogs", writes_logs, [log_group.log_group_arn])])
    give(role, spec.may, spec.why_so_wide)
    if spec.place:
        give(role, [statement("LiveInNetwork", _NETWORK_INTERFACES, ["*"])], _ANY_INTERFACE)
    return role


def _pandas_layer(stack: NexusStack, id_: str) -> lambda_.ILayerVersion:
    arn = pandas_layer_arn(stack.settings.region)
    return lambda_.LayerVersion.from_layer_version_arn(stack, f"{id_}Pandas", arn)


def log_retention(days: int) -> logs.RetentionDays:
    """CDK's name of a number of days."""
    names = {
        7: "ONE_WEEK",
        14: "TWO_WEEKS",
        30: "ONE_MONTH",
        90: "THREE_MONTHS",
        180: "SIX_MONTHS",
        365: "ONE_YEAR",
    }
    return logs.RetentionDays[names[days]]
