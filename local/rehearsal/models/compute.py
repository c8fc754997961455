"""Hosts: launch templates, auto scaling groups, the balancer in front, and what Systems Manager installs on them."""

import json
from typing import Any

from local.rehearsal.wanted import Made, Wanted, model


@model("AWS::EC2::LaunchTemplate")
def make_launch_template(wanted: Wanted) -> Made:
    """How a host begins."""
    name = wanted.get("LaunchTemplateName") or wanted.given_name(128)
    tags = [
        {"ResourceType": one["ResourceType"], "Tags": one["Tags"]}
        for one in wanted.get("TagSpecifications", [])
    ]
    made = wanted.client("ec2").create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData=wanted["LaunchTemplateData"],
        **({"TagSpecifications": tags} if tags else {}),
    )["LaunchTemplate"]
    version = str(made["LatestVersionNumber"])
    return Made(
        made["LaunchTemplateId"],
        {
            "LatestVersionNumber": version,
            "DefaultVersionNumber": version,
            "LaunchTemplateId": made["LaunchTemplateId"],
        },
    )


@model("AWS::AutoScaling::AutoScalingGroup")
def make_group(wanted: Wanted) -> Made:
    """How many hosts, where, behind which targets. No host says that it is ready here, and none is waited for."""
    scaling, name = wanted.client("autoscaling"), wanted.get("AutoScalingGroupName") or wanted.given_name()
    tags = [
        {**tag, "ResourceId": name, "ResourceType": "auto-scaling-group"} for tag in wanted.get("Tags", [])
    ]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        VPCZoneIdentifier=",".join(wanted["VPCZoneIdentifier"]),
        Tags=tags,
        **wanted.pick("HealthCheckType", "LaunchTemplate", "TargetGroupARNs", "TerminationPolicies"),
        **wanted.integers(
            "Cooldown",
            "DefaultInstanceWarmup",
            "DesiredCapacity",
            "HealthCheckGracePeriod",
            "MaxInstanceLifetime",
            "MaxSize",
            "MinSize",
        ),
    )
    for collection in wanted.get("MetricsCollection", []):
        scaling.enable_metrics_collection(AutoScalingGroupName=name, **collection)
    [told] = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    wanted.read_back(
        told,
        "DefaultInstanceWarmup",
        "HealthCheckGracePeriod",
        "HealthCheckType",
        "LaunchTemplate",
        "MaxSize",
        "MinSize",
        "TargetGroupARNs",
        "TerminationPolicies",
    )
    wanted.note("MetricsCollection")
    return Made(name)


@model("AWS::AutoScaling::ScalingPolicy")
def make_scaling_policy(wanted: Wanted) -> Made:
    """When there are more of them, and fewer."""
    scaling, name, group = wanted.client("autoscaling"), wanted.given_name(), wanted["AutoScalingGroupName"]
    scaling.put_scaling_policy(
        PolicyName=name,
        **wanted.pick(
            "AdjustmentType",
            "AutoScalingGroupName",
            "MetricAggregationType",
            "PolicyType",
            "StepAdjustments",
            "TargetTrackingConfiguration",
        ),
        **wanted.integers("Cooldown", "EstimatedInstanceWarmup", "MinAdjustmentMagnitude"),
    )
    [made] = scaling.describe_policies(AutoScalingGroupName=group, PolicyNames=[name])["ScalingPolicies"]
    return Made(made["PolicyARN"], {"Arn": made["PolicyARN"], "PolicyName": name})


@model("AWS::ElasticLoadBalancingV2::LoadBalancer")
def make_balancer(wanted: Wanted) -> Made:
    """With its attributes."""
    elb, name = wanted.client("elbv2"), wanted.get("Name") or wanted.given_name(32)
    [made] = elb.create_load_balancer(
        Name=name,
        Tags=wanted.tags(),
        **wanted.pick("Scheme", "SecurityGroups", "Subnets", "Type", "IpAddressType"),
    )["LoadBalancers"]
    arn = made["LoadBalancerArn"]
    if attributes := wanted.get("LoadBalancerAttributes"):
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)
    full = arn.split(":loadbalancer/")[1]
    return Made(arn, {"DNSName": made["DNSName"], "LoadBalancerFullName": full, "LoadBalancerName": name})


_HEALTH = (
    "HealthCheckIntervalSeconds",
    "HealthCheckPath",
    "HealthCheckPort",
    "HealthCheckProtocol",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
)


@model("AWS::ElasticLoadBalancingV2::TargetGroup")
def make_target_group(wanted: Wanted) -> Made:
    """Which hosts, and how it is seen that they are well."""
    elb, name = wanted.client("elbv2"), wanted.get("Name") or wanted.given_name(32)
    [made] = elb.create_target_group(
        Name=name,
        Tags=wanted.tags(),
        **wanted.pick(
            "HealthCheckPath",
            "HealthCheckPort",
            "HealthCheckProtocol",
            "Protocol",
            "ProtocolVersion",
            "TargetType",
            "VpcId",
        ),
        **wanted.integers(
            "HealthCheckIntervalSeconds",
            "HealthCheckTimeoutSeconds",
            "HealthyThresholdCount",
            "Port",
            "UnhealthyThresholdCount",
        ),
    )["TargetGroups"]
    arn = made["TargetGroupArn"]
    wanted.read_back(made, *_HEALTH, "Port", "Protocol", "TargetType", "VpcId")
    if attributes := wanted.get("TargetGroupAttributes"):
        elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    return Made(arn, {"TargetGroupFullName": arn.split(":")[-1], "TargetGroupArn": arn})


@model("AWS::ElasticLoadBalancingV2::Listener")
def make_listener(wanted: Wanted) -> Made:
    """At which port it takes connections, with which certificate."""
    more: dict[str, Any] = wanted.pick(
        "AlpnPolicy", "Certificates", "DefaultActions", "LoadBalancerArn", "Protocol", "SslPolicy"
    )
    [made] = wanted.client("elbv2").create_listener(Tags=wanted.tags(), **wanted.integers("Port"), **more)[
        "Listeners"
    ]
    wanted.read_back(made, "AlpnPolicy", "Certificates", "Port", "Protocol", "SslPolicy")
    return Made(made["ListenerArn"], {"ListenerArn": made["ListenerArn"]})


@model("AWS::SSM::Document")
def make_document(wanted: Wanted) -> Made:
    """What is done on a host."""
    content = wanted["Content"]
    made = wanted.client("ssm").create_document(
        Name=wanted.get("Name") or wanted.given_name(128),
        Content=content if isinstance(content, str) else json.dumps(content),
        Tags=wanted.tags(),
        DocumentFormat=wanted.get("DocumentFormat", "JSON"),
        **wanted.pick("DocumentType"),
    )["DocumentDescription"]
    wanted.note("UpdateMethod")
    return Made(made["Name"])


@model("AWS::SSM::Association")
def make_association(wanted: Wanted) -> Made:
    """On which hosts; moto has no associations."""
    wanted.note("AssociationName", "Name", "Targets", "Tags", "ScheduleExpression", "Parameters")
    return Made(wanted.given_name(), {"AssociationId": wanted.given_name()})
