"""The network: EC2's part of it."""

from typing import Any

from local.rehearsal.wanted import Made, Wanted, model

_OPEN = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def _tagged(wanted: Wanted, kind: str) -> dict[str, Any]:
    """What tags a thing while it is made."""
    tags = wanted.tags()
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


@model("AWS::EC2::VPC")
def make_vpc(wanted: Wanted) -> Made:
    """With its names."""
    ec2 = wanted.client("ec2")
    vpc = ec2.create_vpc(**wanted.pick("CidrBlock", "InstanceTenancy"), **_tagged(wanted, "vpc"))["Vpc"][
        "VpcId"
    ]
    for name, value in wanted.pick("EnableDnsSupport", "EnableDnsHostnames").items():
        ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": value}})
    return Made(vpc, {"VpcId": vpc, "CidrBlock": wanted["CidrBlock"]})


@model("AWS::EC2::Subnet")
def make_subnet(wanted: Wanted) -> Made:
    """In one zone."""
    ec2 = wanted.client("ec2")
    made = ec2.create_subnet(
        **wanted.pick("VpcId", "CidrBlock", "AvailabilityZone"), **_tagged(wanted, "subnet")
    )
    subnet = made["Subnet"]["SubnetId"]
    for name, value in wanted.pick("MapPublicIpOnLaunch").items():
        ec2.modify_subnet_attribute(SubnetId=subnet, **{name: {"Value": value}})
    return Made(subnet, {"SubnetId": subnet, "AvailabilityZone": wanted["AvailabilityZone"]})


@model("AWS::EC2::RouteTable")
def make_route_table(wanted: Wanted) -> Made:
    """Empty but for what is local."""
    made = wanted.client("ec2").create_route_table(VpcId=wanted["VpcId"], **_tagged(wanted, "route-table"))
    table = made["RouteTable"]["RouteTableId"]
    return Made(table, {"RouteTableId": table})


@model("AWS::EC2::SubnetRouteTableAssociation")
def make_association(wanted: Wanted) -> Made:
    """Which routes a subnet has."""
    made = wanted.client("ec2").associate_route_table(**wanted.pick("RouteTableId", "SubnetId"))
    return Made(made["AssociationId"])


@model("AWS::EC2::Route")
def make_route(wanted: Wanted) -> Made:
    """To the internet, by one way or another."""
    wanted.client("ec2").create_route(
        **wanted.pick("RouteTableId", "DestinationCidrBlock", "GatewayId", "NatGatewayId")
    )
    return Made(f"{wanted['RouteTableId']}|{wanted['DestinationCidrBlock']}")


@model("AWS::EC2::InternetGateway")
def make_internet_gateway(wanted: Wanted) -> Made:
    """The way out of public subnets."""
    made = wanted.client("ec2").create_internet_gateway(**_tagged(wanted, "internet-gateway"))
    gateway = made["InternetGateway"]["InternetGatewayId"]
    return Made(gateway, {"InternetGatewayId": gateway})


@model("AWS::EC2::VPCGatewayAttachment")
def make_attachment(wanted: Wanted) -> Made:
    """Joins it to the network."""
    wanted.client("ec2").attach_internet_gateway(**wanted.pick("InternetGatewayId", "VpcId"))
    return Made(wanted.given_name())


@model("AWS::EC2::EIP")
def make_address(wanted: Wanted) -> Made:
    """A public address."""
    made = wanted.client("ec2").allocate_address(**wanted.pick("Domain"), **_tagged(wanted, "elastic-ip"))
    return Made(made["PublicIp"], {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]})


@model("AWS::EC2::NatGateway")
def make_nat_gateway(wanted: Wanted) -> Made:
    """The way out of private subnets."""
    made = wanted.client("ec2").create_nat_gateway(
        **wanted.pick("AllocationId", "SubnetId"), **_tagged(wanted, "natgateway")
    )
    gateway = made["NatGateway"]["NatGatewayId"]
    return Made(gateway, {"NatGatewayId": gateway})


@model("AWS::EC2::VPCEndpoint")
def make_endpoint(wanted: Wanted) -> Made:
    """The way to one service of AWS."""
    more: dict[str, Any] = {}
    if wanted.get("PolicyDocument"):
        more["PolicyDocument"] = wanted.document("PolicyDocument")
    made = wanted.client("ec2").create_vpc_endpoint(
        **wanted.pick(
            "VpcId",
            "ServiceName",
            "VpcEndpointType",
            "RouteTableIds",
            "SubnetIds",
            "SecurityGroupIds",
            "PrivateDnsEnabled",
        ),
        **_tagged(wanted, "vpc-endpoint"),
        **more,
    )
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    return Made(endpoint, {"Id": endpoint})


@model("AWS::EC2::FlowLog")
def make_flow_log(wanted: Wanted) -> Made:
    """Who talks to whom."""
    made = wanted.client("ec2").create_flow_logs(
        **wanted.pick(
            "DeliverLogsPermissionArn", "LogDestinationType", "LogGroupName", "ResourceType", "TrafficType"
        ),
        ResourceIds=[wanted["ResourceId"]],
        **_tagged(wanted, "vpc-flow-log"),
    )
    return Made(made["FlowLogIds"][0], {"Id": made["FlowLogIds"][0]})


@model("AWS::EC2::SecurityGroup")
def make_security_group(wanted: Wanted) -> Made:
    """Lets everything out, until a rule of its own says what: so does CloudFormation."""
    made = wanted.client("ec2").create_security_group(
        GroupName=wanted.get("GroupName") or wanted.given_name(),
        Description=wanted["GroupDescription"],
        VpcId=wanted["VpcId"],
        **_tagged(wanted, "security-group"),
    )
    return Made(made["GroupId"], {"GroupId": made["GroupId"], "VpcId": wanted["VpcId"]})


def _rule(wanted: Wanted, other: str) -> dict[str, Any]:
    told = {"Description": wanted["Description"]} if wanted.get("Description") else {}
    rule: dict[str, Any] = {"IpProtocol": wanted["IpProtocol"], **wanted.integers("FromPort", "ToPort")}
    if cidr := wanted.get("CidrIp"):
        return rule | {"IpRanges": [{"CidrIp": cidr, **told}]}
    return rule | {"UserIdGroupPairs": [{"GroupId": wanted[other], **told}]}


@model("AWS::EC2::SecurityGroupIngress")
def make_ingress(wanted: Wanted) -> Made:
    """Who is let in."""
    made = wanted.client("ec2").authorize_security_group_ingress(
        GroupId=wanted["GroupId"], IpPermissions=[_rule(wanted, "SourceSecurityGroupId")]
    )
    return Made(_rule_id(made, wanted))


@model("AWS::EC2::SecurityGroupEgress")
def make_egress(wanted: Wanted) -> Made:
    """Who is let out; the rule for everything goes with the first of these."""
    ec2, group = wanted.client("ec2"), wanted["GroupId"]
    [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    if any(_is_open(rule) for rule in found["IpPermissionsEgress"]):
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[_OPEN])
    made = ec2.authorize_security_group_egress(
        GroupId=group, IpPermissions=[_rule(wanted, "DestinationSecurityGroupId")]
    )
    return Made(_rule_id(made, wanted))


def _is_open(rule: dict[str, Any]) -> bool:
    return rule["IpProtocol"] == "-1" and any(r["CidrIp"] == "0.0.0.0/0" for r in rule["IpRanges"])


def _rule_id(made: dict[str, Any], wanted: Wanted) -> str:
    rules = made.get("SecurityGroupRules") or [{"SecurityGroupRuleId": wanted.given_name()}]
    found: str = rules[0]["SecurityGroupRuleId"]
    return found
