"""The balancer in front of the gRPC hosts: TLS with HTTP/2, inside the network, by connections."""

from collections.abc import Mapping

from aws_cdk import Duration, Fn
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb

from stacks.base import NexusStack
from stacks.bucket_policies import BALANCER_LOGS
from stacks.network import NetworkStack
from stacks.security_groups import GRPC_HOST, GRPC_LISTENER, HEALTH

# So long a host that goes is given no new connections before it is told to stop; it ends those it has by itself, and
# answers what was sent on them.
DRAIN = Duration.seconds(60)
# Each client holds a stream or two. Beyond this the next host is cheaper than waiting.
CONNECTIONS_PER_HOST = 500

_Policy = autoscaling.CfnScalingPolicy


def add_balancer(
    stack: NexusStack, network: NetworkStack, hosts: autoscaling.AutoScalingGroup
) -> elb.NetworkLoadBalancer:
    """Listener, target group with these hosts, access log, and scaling by connections."""
    settings = stack.settings
    balancer = elb.NetworkLoadBalancer(
        stack,
        "Balancer",
        vpc=network.vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_group_name="private"),
        internet_facing=False,
        cross_zone_enabled=True,
        security_groups=[network.groups.ingest_balancer],
        deletion_protection=settings.removal == "retain",
    )
    balancer.set_attribute("access_logs.s3.enabled", "true")
    balancer.set_attribute("access_logs.s3.bucket", stack.names.logs_bucket)
    balancer.set_attribute("access_logs.s3.prefix", BALANCER_LOGS)
    target = elb.NetworkTargetGroup(
        stack,
        "Hosts",
        vpc=network.vpc,
        port=GRPC_HOST,
        protocol=elb.Protocol.TCP,  # TLS ends at the balancer
        targets=[hosts],
        preserve_client_ip=False,  # to a host the balancer is the peer, whose security group it lets in
        deregistration_delay=DRAIN,
        health_check=elb.HealthCheck(
            protocol=elb.Protocol.HTTP,
            port=str(HEALTH),
            path="/healthz",
            interval=Duration.seconds(10),
            timeout=Duration.seconds(5),
            healthy_threshold_count=2,
            unhealthy_threshold_count=2,
        ),
    )
    certificate = (
        f"arn:aws:acm:{settings.region}:{settings.account}:certificate/{settings.ingest.certificate_id}"
    )
    balancer.add_listener(
        "Grpc",
        port=GRPC_LISTENER,
        protocol=elb.Protocol.TLS,
        certificates=[elb.ListenerCertificate.from_arn(certificate)],
        ssl_policy=elb.SslPolicy.RECOMMENDED_TLS,
        alpn_policy=elb.AlpnPolicy.HTTP2_ONLY,
        default_target_groups=[target],
    )
    _scale_by_connections(stack, hosts, balancer, target)
    return balancer


def _scale_by_connections(
    stack: NexusStack,
    hosts: autoscaling.AutoScalingGroup,
    balancer: elb.NetworkLoadBalancer,
    target: elb.NetworkTargetGroup,
) -> None:
    """CDK's own policy takes no arithmetic, and the balancer counts connections of all hosts together."""
    place = {"LoadBalancer": balancer.load_balancer_full_name}
    of_hosts = {**place, "TargetGroup": target.target_group_full_name}
    per_host = _Policy.TargetTrackingMetricDataQueryProperty(
        id="per_host", expression="flows / hosts", label="connections per host", return_data=True
    )
    metrics = [
        _metric("flows", "ActiveFlowCount_TLS", place),
        _metric("hosts", "HealthyHostCount", of_hosts),
        per_host,
    ]
    _Policy(
        stack,
        "ScaleByConnections",
        auto_scaling_group_name=hosts.auto_scaling_group_name,
        policy_type="TargetTrackingScaling",
        target_tracking_configuration=_Policy.TargetTrackingConfigurationProperty(
            target_value=CONNECTIONS_PER_HOST,
            customized_metric_specification=_Policy.CustomizedMetricSpecificationProperty(metrics=metrics),
        ),
    )


def _metric(
    id_: str, name: str, dimensions: Mapping[str, str]
) -> autoscaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty:
    found = _Policy.MetricProperty(
        namespace="AWS/NetworkELB",
        metric_name=name,
        dimensions=[
            _Policy.MetricDimensionProperty(name=key, value=value) for key, value in dimensions.items()
        ],
    )
    stat = _Policy.TargetTrackingMetricStatProperty(metric=found, stat="Average")
    return _Policy.TargetTrackingMetricDataQueryProperty(id=id_, metric_stat=stat, return_data=False)


def endpoint_of(balancer: elb.NetworkLoadBalancer) -> str:
    """Address for clients."""
    return Fn.join(":", [balancer.load_balancer_dns_name, str(GRPC_LISTENER)])
