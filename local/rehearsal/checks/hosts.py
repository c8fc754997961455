"""Hosts and the balancer in front of them, as they would be: none runs here."""

from local.rehearsal.findings import require
from local.rehearsal.scene import Scene


def groups(scene: Scene) -> str:
    """As many as the settings say, in every zone, on encrypted disks, with tokens for their metadata."""
    scaling, ec2 = scene.client("autoscaling"), scene.client("ec2")
    settings = scene.settings
    wanted = {scene.names.ingest_hosts: (settings.ingest.least_hosts, settings.ingest.most_hosts)}
    if settings.land.by == "writer":
        wanted[scene.names.writer_hosts] = (settings.land.least, settings.land.most)
    for name, (least, most) in wanted.items():
        [group] = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        size = (group["MinSize"], group["MaxSize"])
        require(size == (least, most), f"{name} may have {size} hosts")
        zones = group["VPCZoneIdentifier"].split(",")
        require(len(zones) == len(settings.zones), f"{name} is in {len(zones)} subnets")
        template = group["LaunchTemplate"]
        [version] = ec2.describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
        )["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
        require(data["MetadataOptions"]["HttpTokens"] == "required", f"{name} takes IMDSv1")
        disks = data["BlockDeviceMappings"]
        require(all(disk["Ebs"]["Encrypted"] for disk in disks), f"{name} has disks in plain")
        require(data.get("UserData"), f"{name} would install nothing")
    return ", ".join(f"{name}: {least} to {most}" for name, (least, most) in wanted.items())


def balancer(scene: Scene) -> str:
    """Inside the network, TLS with HTTP/2, hosts asked by HTTP whether they are well."""
    elb = scene.client("elbv2")
    [entry] = scene.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")
    [found] = elb.describe_load_balancers(LoadBalancerArns=[entry.physical_id])["LoadBalancers"]
    require(found["Type"] == "network", f"it is of type {found['Type']}")
    require(found["Scheme"] == "internal", f"it is {found['Scheme']}")
    [listener] = elb.describe_listeners(LoadBalancerArn=entry.physical_id)["Listeners"]
    require(listener["Protocol"] == "TLS", f"it listens for {listener['Protocol']}")
    [group] = elb.describe_target_groups(LoadBalancerArn=entry.physical_id)["TargetGroups"]
    asked = (group["HealthCheckProtocol"], group["HealthCheckPath"])
    require(asked == ("HTTP", "/healthz"), f"hosts are asked by {asked}")
    return f"internal, TLS at port {listener['Port']}, hosts asked by HTTP {group['HealthCheckPath']}"
