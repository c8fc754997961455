"""Subnets, who may talk to whom, and the database in between."""

from local.rehearsal.findings import require
from local.rehearsal.scene import Scene

EVERYWHERE = "0.0.0.0/0"


def subnets(scene: Scene) -> str:
    """Private ones in three zones, with a way out that the settings name, and flow logs."""
    ec2 = scene.client("ec2")
    [vpc] = [e.physical_id for e in scene.of_type("AWS::EC2::VPC")]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    found = ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    private = [s for s in found if not _is_public(ec2, s["SubnetId"])]
    zones = sorted({s["AvailabilityZone"] for s in private})
    require(zones == scene.settings.zones, f"private subnets are in {zones}, not in {scene.settings.zones}")
    require(not any(s["MapPublicIpOnLaunch"] for s in private), "private subnets give public addresses")
    egress, gateways = scene.settings.network.egress, ec2.describe_nat_gateways(Filters=of_vpc)["NatGateways"]
    endpoints = ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"]
    interfaces = [e for e in endpoints if e["VpcEndpointType"] == "Interface"]
    require(bool(gateways) == (egress == "nat"), f"egress is {egress}, with {len(gateways)} NAT gateways")
    require(
        bool(interfaces) == (egress == "endpoints"), f"egress is {egress}, with {len(interfaces)} endpoints"
    )
    require(ec2.describe_flow_logs()["FlowLogs"], "nobody writes down who talks to whom")
    way = f"{len(gateways)} NAT gateway" if gateways else f"{len(interfaces)} endpoints and no internet"
    return f"{len(private)} private subnets in {len(zones)} zones, {way}, flow logs on"


def _is_public(ec2: object, subnet: str) -> bool:
    answer = ec2.describe_route_tables(  # type: ignore[attr-defined]
        Filters=[{"Name": "association.subnet-id", "Values": [subnet]}]
    )
    routes = [route for table in answer["RouteTables"] for route in table["Routes"]]
    return any(route.get("GatewayId", "").startswith("igw-") for route in routes)


def groups(scene: Scene) -> str:
    """Nobody is let in from everywhere, and nobody out to everything."""
    ec2 = scene.client("ec2")
    ids = [e.physical_id for e in scene.of_type("AWS::EC2::SecurityGroup")]
    found = ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"]
    for group in found:
        name = group["Description"]
        entering = [r["CidrIp"] for rule in group["IpPermissions"] for r in rule["IpRanges"]]
        require(EVERYWHERE not in entering, f"everybody is let in to: {name}")
        leaving = [
            rule
            for rule in group["IpPermissionsEgress"]
            if rule["IpProtocol"] == "-1" and EVERYWHERE in [r["CidrIp"] for r in rule["IpRanges"]]
        ]
        require(not leaving, f"let out to everything, for it has no rule of its own for leaving: {name}")
    return f"{len(found)} groups: none lets in from everywhere, none out to everything"


def ledger(scene: Scene) -> str:
    """Encrypted, private, signed in to by token; several zones and a proxy by setting."""
    rds, wanted = scene.client("rds"), scene.settings.database
    [found] = rds.describe_db_instances(DBInstanceIdentifier=scene.names.ledger_instance)["DBInstances"]
    promised = {
        "StorageEncrypted": True,
        "PubliclyAccessible": False,
        "IAMDatabaseAuthenticationEnabled": True,
        "MultiAZ": wanted.multi_az,
        "BackupRetentionPeriod": wanted.backup_days,
        "DeletionProtection": not scene.settings.destroys,
    }
    wrong = {name: found.get(name) for name, value in promised.items() if found.get(name) != value}
    require(not wrong, f"{scene.names.ledger_instance} is {wrong}, not {promised}")
    require(found.get("MasterUserSecret", {}).get("SecretArn"), "its owner's password is in no secret")
    proxies = rds.describe_db_proxies()["DBProxies"]
    require(bool(proxies) == wanted.proxy, f"{len(proxies)} proxies, the setting says {wanted.proxy}")
    require(all(proxy["RequireTLS"] for proxy in proxies), "the proxy takes connections without TLS")
    zones = "several zones" if wanted.multi_az else "one zone"
    return f"{found['Engine']} {found['EngineVersion']} in {zones}, encrypted, private, tokens; proxies: {len(proxies)}"
