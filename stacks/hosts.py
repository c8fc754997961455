"""A group of EC2 hosts that run one service: replaced one by one, and only by hosts that say they are ready."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk.aws_s3_assets import Asset

from stacks.assets import Assets
from stacks.base import NexusStack, acknowledge
from stacks.functions import log_retention
from stacks.host_role import add_host_role
from stacks.metrics_agent import agent_files
from stacks.network import NetworkStack
from stacks.security_groups import HEALTH
from stacks.user_data import HostFacts, render

# Ubuntu 24.04 for Graviton, by Canonical: at each deployment the newest, as AWS keeps its number under this name.
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id"
# To boot, unpack and start takes a minute or two; the rest is for a Kafka that is slow to let new roles in.
_READY_S = 480
_SETTLE_S = 120  # a network balancer sends connections to a new target after one to two minutes
_SIGNAL = Duration.minutes(15)  # all of these, and the boot
_DISK_GIB = 20  # the artifact unpacked, and logs
# While hosts are replaced one by one, nobody else may start or end any.
_AT_REST = (
    autoscaling.ScalingProcess.ALARM_NOTIFICATION,
    autoscaling.ScalingProcess.AZ_REBALANCE,
    autoscaling.ScalingProcess.HEALTH_CHECK,
    autoscaling.ScalingProcess.REPLACE_UNHEALTHY,
    autoscaling.ScalingProcess.SCHEDULED_ACTIONS,
)


@dataclass(frozen=True)
class HostSpec:
    """`service` names everything; `artifact` is a file of `make assets`; `stops_in` is how long it may drain.

    `stays_down`: exit codes after which a restart would change nothing. `behind_balancer`: its health checks count.
    """

    service: str
    group_name: str
    module: str
    artifact: str
    instance: str
    least: int
    most: int
    security_group: ec2.ISecurityGroup
    stops_in: Duration
    environment: Mapping[str, str]
    may: Sequence[iam.PolicyStatement]
    why_so_wide: str = ""
    stays_down: tuple[int, ...] = ()
    behind_balancer: bool = False

    @property
    def id(self) -> str:
        """Start of construct ids."""
        return self.service.capitalize()


def add_hosts(
    stack: NexusStack, spec: HostSpec, network: NetworkStack, assets: Assets
) -> autoscaling.AutoScalingGroup:
    """The group with its role, log group, artifact and launch template."""
    path = assets.file(spec.artifact)
    artifact = Asset(stack, f"{spec.id}Artifact", path=str(path))
    log_group = _add_logs(stack, spec)
    role = add_host_role(stack, spec.service, artifact, log_group, spec.may, spec.why_so_wide)
    facts = _facts(stack, spec, artifact, hashlib.sha256(path.read_bytes()).hexdigest())
    group = autoscaling.AutoScalingGroup(
        stack,
        f"{spec.id}Hosts",
        auto_scaling_group_name=spec.group_name,
        vpc=network.vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_group_name="private"),
        launch_template=_add_template(stack, spec, role, render(facts)),
        min_capacity=spec.least,
        max_capacity=spec.most,
        signals=autoscaling.Signals.wait_for_min_capacity(timeout=_SIGNAL),
        update_policy=autoscaling.UpdatePolicy.rolling_update(
            max_batch_size=1,
            min_instances_in_service=min(spec.least, spec.most - 1),
            pause_time=_SIGNAL,
            wait_on_resource_signals=True,
            suspend_processes=list(_AT_REST),
        ),
        health_checks=_health_checks(spec),
        default_instance_warmup=Duration.minutes(3),
        group_metrics=[autoscaling.GroupMetrics.all()],
        termination_policies=[
            autoscaling.TerminationPolicy.OLDEST_LAUNCH_TEMPLATE,
            autoscaling.TerminationPolicy.DEFAULT,
        ],
    )
    resource = group.node.default_child
    assert isinstance(resource, CfnResource)
    resource.override_logical_id(facts.group)  # hosts signal it by this name
    group.node.add_dependency(role.node.find_child("DefaultPolicy"), log_group)
    acknowledge(
        group, "AwsSolutions-AS3", "Alarms watch how many hosts serve; a mail for each host helps nobody."
    )
    return group


def _facts(stack: NexusStack, spec: HostSpec, artifact: Asset, sha256: str) -> HostFacts:
    names = stack.names
    return HostFacts(
        service=spec.service,
        module=spec.module,
        region=stack.settings.region,
        stack=names.stack(stack.name),
        group=f"{spec.id}Hosts",
        bucket=artifact.s3_bucket_name,
        key=artifact.s3_object_key,
        sha256=sha256,
        health_port=HEALTH,
        ready_within_s=_READY_S,
        settle_s=_SETTLE_S if spec.behind_balancer else 0,
        stop_s=int(spec.stops_in.to_seconds()),
        stays_down=spec.stays_down,
        environment={
            "AWS_REGION": stack.settings.region,
            "NEXUS_HEALTH_PORT": str(HEALTH),
            **spec.environment,
        },
        files=agent_files(spec.service, names.metrics_namespace, names.host_logs(spec.service), HEALTH),
    )


def _add_logs(stack: NexusStack, spec: HostSpec) -> logs.LogGroup:
    return logs.LogGroup(
        stack,
        f"{spec.id}Logs",
        log_group_name=stack.names.host_logs(spec.service),
        retention=log_retention(stack.settings.observability.log_days),
        removal_policy=RemovalPolicy.DESTROY,  # its name is fixed: left behind, it would stop the next deployment
    )


def _add_template(stack: NexusStack, spec: HostSpec, role: iam.Role, user_data: str) -> ec2.LaunchTemplate:
    disk = ec2.BlockDeviceVolume.ebs(
        _DISK_GIB, encrypted=True, delete_on_termination=True, volume_type=ec2.EbsDeviceVolumeType.GP3
    )
    return ec2.LaunchTemplate(
        stack,
        f"{spec.id}Template",
        launch_template_name=spec.group_name,
        instance_type=ec2.InstanceType(spec.instance),
        machine_image=ec2.MachineImage.from_ssm_parameter(UBUNTU, os=ec2.OperatingSystemType.LINUX),
        security_group=spec.security_group,
        role=role.without_policy_updates(),
        user_data=ec2.UserData.custom(user_data),
        require_imdsv2=True,
        http_put_response_hop_limit=1,  # nothing on a host but its own processes asks for the role's keys
        block_devices=[ec2.BlockDevice(device_name="/dev/sda1", volume=disk)],
        detailed_monitoring=True,  # CPU by the minute: scaling looks at it
        associate_public_ip_address=False,
    )


def _health_checks(spec: HostSpec) -> autoscaling.HealthChecks:
    grace = Duration.seconds(_READY_S)
    if not spec.behind_balancer:
        return autoscaling.HealthChecks.ec2(grace_period=grace)
    elb = autoscaling.AdditionalHealthCheckType.ELB
    return autoscaling.HealthChecks.with_additional_checks(additional_types=[elb], grace_period=grace)
