"""The network: three zones, private subnets, a way to AWS's services, and the security groups of everything."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.base import NexusStack, acknowledge
from stacks.functions import log_retention
from stacks.security_groups import SecurityGroups
from stacks.settings import Settings

# What our processes, Lambda, MSK Connect, MWAA and the hosts' agents call, where there is no way to the internet.
ENDPOINTS = (
    "airflow.api",
    "airflow.env",
    "athena",
    "cloudformation",
    "ec2messages",
    "events",
    "glue",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "rds",
    "secretsmanager",
    "sqs",
    "ssm",
    "ssmmessages",
    "sts",
)
_PRIVATE_BITS = 20  # 4,091 addresses per zone: MWAA, Lambda and Connect take several per worker
_PUBLIC_BITS = 26


class NetworkStack(NexusStack):
    """`vpc` with the subnet group `private` (and `public`, for the NAT gateway, where there is one); `groups`."""

    def __init__(self, scope: Construct, settings: Settings) -> None:
        super().__init__(
            scope, settings, "network", "VPC over three zones, endpoints or NAT, security groups, flow logs"
        )
        self._nat = settings.network.egress == "nat"
        self.vpc = self._add_vpc()
        acknowledge(
            self.vpc,
            "CloudFormation-Validate::W3010",
            "The zones are a setting: a subnet never moves to another.",
        )
        self.groups = SecurityGroups.of(self, self.vpc)
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        if not self._nat:
            self._add_endpoints()
        self._add_flow_logs()
        self.add_output("VpcId", self.vpc.vpc_id, "The network that everything runs in")

    def _add_vpc(self) -> ec2.Vpc:
        private = ec2.SubnetType.PRIVATE_WITH_EGRESS if self._nat else ec2.SubnetType.PRIVATE_ISOLATED
        subnets = [ec2.SubnetConfiguration(name="private", subnet_type=private, cidr_mask=_PRIVATE_BITS)]
        if self._nat:
            subnets.append(
                ec2.SubnetConfiguration(
                    name="public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=_PUBLIC_BITS,
                    map_public_ip_on_launch=False,
                )
            )
        return ec2.Vpc(
            self,
            "Vpc",
            vpc_name=self.names.of("network"),
            ip_addresses=ec2.IpAddresses.cidr(self.settings.network.cidr),
            availability_zones=self.settings.zones,
            nat_gateways=1 if self._nat else 0,
            subnet_configuration=subnets,
            restrict_default_security_group=False,
        )

    def _add_endpoints(self) -> None:
        for name in ENDPOINTS:
            self.vpc.add_interface_endpoint(
                "".join(part.capitalize() for part in name.split(".")),
                service=ec2.InterfaceVpcEndpointAwsService(name),
                security_groups=[self.groups.endpoints],
                subnets=ec2.SubnetSelection(subnet_group_name="private"),
                open=False,  # the rules are in security_groups.py
            )

    def _add_flow_logs(self) -> None:
        """Where packets went and which were refused."""
        group = logs.LogGroup(
            self,
            "FlowLogs",
            log_group_name=f"/{self.names.of('network')}/flow",
            retention=log_retention(self.settings.observability.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            "FlowLogsRole",
            assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"),
            description=f"Writes the flow logs of {self.settings.environment}",
        )
        self.vpc.add_flow_log(
            "Flow",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )
