"""The network: zones, ways out, who may talk to whom."""

import pytest

from local.templates import read_settings
from stacks.network import ENDPOINTS
from tests.stacks.conftest import Compose
from tests.stacks.reading import Raw, only, resources, statements, text_of


def network(raw_templates: Compose, environment: str, **changes: object) -> Raw:
    template: Raw = raw_templates(environment, **changes)["network"]
    return template


def private_subnets(template: Raw) -> list[Raw]:
    return [
        properties
        for properties in resources(template, "AWS::EC2::Subnet").values()
        if {"Key": "aws-cdk:subnet-name", "Value": "private"} in properties["Tags"]
    ]


def test_network_has_private_subnets_in_three_zones(raw_templates: Compose, environment: str) -> None:
    subnets = private_subnets(network(raw_templates, environment))
    assert sorted(s["AvailabilityZone"] for s in subnets) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert not any(s["MapPublicIpOnLaunch"] for s in subnets)


def test_network_resolves_names_in_the_range_of_its_environment(
    raw_templates: Compose, environment: str
) -> None:
    """Private endpoints, the cluster and the database are known by names that only the network's DNS has."""
    vpc = only(resources(network(raw_templates, environment), "AWS::EC2::VPC"))
    assert (vpc["EnableDnsSupport"], vpc["EnableDnsHostnames"]) == (True, True)
    assert vpc["CidrBlock"] == read_settings(environment).network.cidr
    assert vpc.get("InstanceTenancy", "default") == "default"


def test_network_gives_no_address_of_the_internet_to_anything(
    raw_templates: Compose, environment: str
) -> None:
    subnets = resources(network(raw_templates, environment), "AWS::EC2::Subnet")
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets.values())


def test_network_with_nat_goes_out_through_one_gateway(raw_templates: Compose) -> None:
    template = network(raw_templates, "dev")
    assert len(resources(template, "AWS::EC2::NatGateway")) == 1
    assert len(resources(template, "AWS::EC2::VPCEndpoint")) == 1, "what goes to the lake costs nothing"
    [nat] = resources(template, "AWS::EC2::NatGateway")
    routes = resources(template, "AWS::EC2::Route")
    out = {name: text_of(route["NatGatewayId"]) for name, route in routes.items() if "private" in name}
    assert list(out.values()) == [nat] * 3
    assert {route["DestinationCidrBlock"] for route in routes.values()} == {"0.0.0.0/0"}
    place = text_of(resources(template, "AWS::EC2::NatGateway")[nat]["SubnetId"])
    assert "public" in place, "a gateway without an address reaches nothing"


def test_network_with_endpoints_has_no_way_to_the_internet(raw_templates: Compose) -> None:
    template = network(raw_templates, "prod")
    for kind in ("NatGateway", "InternetGateway", "EIP"):
        assert not resources(template, f"AWS::EC2::{kind}")
    assert not resources(template, "AWS::EC2::Route")
    endpoints = resources(template, "AWS::EC2::VPCEndpoint").values()
    services = {text_of(e["ServiceName"]) for e in endpoints}
    assert services >= {f"com.amazonaws.us-east-1.{name}" for name in ENDPOINTS}
    inside = [e for e in endpoints if e["VpcEndpointType"] == "Interface"]
    assert all(e["PrivateDnsEnabled"] and len(e["SubnetIds"]) == 3 for e in inside)


def test_network_reaches_s3_by_its_gateway_from_every_private_subnet(
    raw_templates: Compose, environment: str
) -> None:
    template = network(raw_templates, environment)
    gateways = [
        e for e in resources(template, "AWS::EC2::VPCEndpoint").values() if e["VpcEndpointType"] == "Gateway"
    ]
    [gateway] = gateways
    assert text_of(gateway["ServiceName"]).endswith(".s3")
    tables = {text_of(table) for table in gateway["RouteTableIds"]}
    associations = resources(template, "AWS::EC2::SubnetRouteTableAssociation")
    private = {text_of(a["RouteTableId"]) for name, a in associations.items() if "private" in name}
    assert len(private) == 3
    assert private <= tables


def test_network_subnets_keep_their_place_when_the_way_out_changes(raw_templates: Compose) -> None:
    """Else turning the knob would replace every subnet, and with them the cluster and the database."""

    def places(egress: str) -> set[tuple[str, str]]:
        subnets = resources(network(raw_templates, "dev", network={"egress": egress}), "AWS::EC2::Subnet")
        return {(name, s["CidrBlock"]) for name, s in subnets.items() if "private" in name}

    assert places("nat") == places("endpoints")


def test_network_logs_all_flows_with_an_end(raw_templates: Compose, environment: str) -> None:
    template = network(raw_templates, environment)
    flow = only(resources(template, "AWS::EC2::FlowLog"))
    assert (flow["TrafficType"], flow["ResourceType"]) == ("ALL", "VPC")
    [role] = resources(template, "AWS::IAM::Role")
    assert text_of(flow["DeliverLogsPermissionArn"]) == f"{role}.Arn"
    groups = resources(template, "AWS::Logs::LogGroup")
    assert groups[text_of(flow["LogGroupName"])]["RetentionInDays"] in (14, 30, 90)
    assert all("*" not in resource for one in statements(template) for resource in one.resources)


def test_network_lets_nobody_in_from_everywhere(raw_templates: Compose, environment: str) -> None:
    template = network(raw_templates, environment)
    rules = resources(template, "AWS::EC2::SecurityGroupIngress").values()
    from_addresses = [(r["CidrIp"], r["FromPort"], r["ToPort"]) for r in rules if "CidrIp" in r]
    assert from_addresses == [("10.0.0.0/8", 443, 443)]
    assert not any("CidrIpv6" in rule for rule in rules)
    for group in resources(template, "AWS::EC2::SecurityGroup").values():
        assert not group.get("SecurityGroupIngress")


def test_network_lets_things_out_only_to_services(raw_templates: Compose, environment: str) -> None:
    rules = resources(network(raw_templates, environment), "AWS::EC2::SecurityGroupEgress").values()
    anywhere = {(r["FromPort"], r["ToPort"]) for r in rules if r.get("CidrIp") == "0.0.0.0/0"}
    assert anywhere == {(443, 443)}


# who reaches whom, on which port
WAYS = {
    ("FunctionsGroup", "DatabaseGroup", 5432),
    ("FunctionsGroup", "ProxyGroup", 5432),
    ("ProxyGroup", "DatabaseGroup", 5432),
    ("AirflowGroup", "DatabaseGroup", 5432),
    ("AirflowGroup", "ProxyGroup", 5432),
    ("AirflowGroup", "AirflowGroup", -1),
    ("IngestBalancerGroup", "IngestHostsGroup", 8443),
    ("IngestBalancerGroup", "IngestHostsGroup", 8081),
    ("CanaryGroup", "IngestBalancerGroup", 443),
    ("CanaryGroup", "DatabaseGroup", 5432),
    ("CanaryGroup", "ProxyGroup", 5432),
    ("IngestHostsGroup", "KafkaGroup", 9098),
    ("WriterHostsGroup", "KafkaGroup", 9098),
    ("WriterHostsGroup", "KafkaGroup", 11001),
    ("WriterHostsGroup", "KafkaGroup", 11002),
    ("ConnectGroup", "KafkaGroup", 9098),
    ("FunctionsGroup", "EndpointsGroup", 443),
    ("CanaryGroup", "EndpointsGroup", 443),
    ("IngestHostsGroup", "EndpointsGroup", 443),
    ("WriterHostsGroup", "EndpointsGroup", 443),
    ("ConnectGroup", "EndpointsGroup", 443),
    ("AirflowGroup", "EndpointsGroup", 443),
}


@pytest.mark.parametrize(
    ("kind", "own", "other"),
    [
        ("AWS::EC2::SecurityGroupIngress", "GroupId", "SourceSecurityGroupId"),
        ("AWS::EC2::SecurityGroupEgress", "DestinationSecurityGroupId", "GroupId"),
    ],
)
def test_network_opens_these_ways_in_both_directions_and_no_others(
    raw_templates: Compose, environment: str, kind: str, own: str, other: str
) -> None:
    template = network(raw_templates, environment)
    groups = {name: name[:-8] for name in resources(template, "AWS::EC2::SecurityGroup")}

    def group(reference: object) -> str:
        return groups[text_of(reference).removesuffix(".GroupId")]

    between = [rule for rule in resources(template, kind).values() if other in rule and own in rule]
    assert all(rule.get("FromPort") == rule.get("ToPort") for rule in between), "a port, not a range"
    assert {rule["IpProtocol"] for rule in between if "FromPort" in rule} == {"tcp"}
    assert {(group(rule[other]), group(rule[own]), rule.get("FromPort", -1)) for rule in between} == WAYS
