"""Hosts: only ready ones take over, nobody logs in to them, and they may do their own work and no more."""

import json

import pytest

from bronze_writer.settings import Settings as WriterSettings
from grpc_ingest.server.settings import Settings as HostSettings
from lakehouse.errors import SettingsError
from stacks.instances import memory_gib
from stacks.user_data import SETUP
from tests.stacks.conftest import Compose
from tests.stacks.hosts import (
    GROUPS,
    environment_file,
    facts,
    ingest,
    launch,
    may,
    rights,
    script,
    settings_of,
)
from tests.stacks.reading import named, only, resources, text_of, whole


@pytest.mark.parametrize("service", GROUPS)
def test_hosts_are_replaced_one_by_one_by_those_that_say_they_are_ready(
    raw_templates: Compose, environment: str, service: str
) -> None:
    template = ingest(raw_templates, environment)
    group = whole(template, "AWS::AutoScaling::AutoScalingGroup")[GROUPS[service]]
    rolling = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert rolling["WaitOnResourceSignals"] is True
    assert rolling["MaxBatchSize"] == 1
    least, most = int(group["Properties"]["MinSize"]), int(group["Properties"]["MaxSize"])
    assert rolling["MinInstancesInService"] == min(least, most - 1)
    assert group["CreationPolicy"]["ResourceSignal"]["Count"] == least
    told = facts(template, environment, service)
    assert told["NEXUS_GROUP"] == GROUPS[service], "signals go to this very resource"
    assert told["NEXUS_STACK"] == f"nexus-{environment}-ingest"
    waits = group["CreationPolicy"]["ResourceSignal"]["Timeout"]
    assert waits == rolling["PauseTime"] == "PT15M"
    assert int(told["NEXUS_READY_WITHIN"]) + int(told["NEXUS_SETTLE"]) < 15 * 60
    assert SETUP.read_text("utf-8") in script(template, environment, service)


def test_host_behind_the_balancer_waits_until_it_is_sent_connections(
    raw_templates: Compose, environment: str
) -> None:
    template = ingest(raw_templates, environment)
    assert int(facts(template, environment, "ingest")["NEXUS_SETTLE"]) >= 120
    assert facts(template, environment, "writer")["NEXUS_SETTLE"] == "0"


@pytest.mark.parametrize("service", GROUPS)
def test_hosts_have_closed_metadata_encrypted_disks_and_no_address(
    raw_templates: Compose, environment: str, service: str
) -> None:
    data = launch(ingest(raw_templates, environment), environment, service)
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert [disk["Ebs"]["Encrypted"] for disk in data["BlockDeviceMappings"]] == [True]
    [interface] = data["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is False
    [group] = interface["Groups"]
    assert f"{service.capitalize()}HostsGroup" in text_of(group)
    assert "KeyName" not in data, "people come by Systems Manager"


@pytest.mark.parametrize("service", GROUPS)
def test_hosts_run_ubuntu_on_graviton_in_private_subnets_of_three_zones(
    raw_templates: Compose, environment: str, service: str
) -> None:
    template = ingest(raw_templates, environment)
    data = launch(template, environment, service)
    image = template["Parameters"][text_of(data["ImageId"])]
    assert image["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    assert "ubuntu/server/24.04" in image["Default"]
    assert "/arm64/" in image["Default"]
    group = resources(template, "AWS::AutoScaling::AutoScalingGroup")[GROUPS[service]]
    subnets = [text_of(subnet) for subnet in group["VPCZoneIdentifier"]]
    assert len(set(subnets)) == 3
    assert all("private" in subnet for subnet in subnets)
    assert group["AutoScalingGroupName"] == f"nexus-{environment}-{service}"
    assert group["MetricsCollection"] == [{"Granularity": "1Minute"}], "an alarm counts the hosts"


def test_groups_have_the_sizes_of_the_settings(raw_templates: Compose, environment: str) -> None:
    groups = resources(ingest(raw_templates, environment), "AWS::AutoScaling::AutoScalingGroup")
    settings = settings_of(environment)
    sizes = {name: (int(group["MinSize"]), int(group["MaxSize"])) for name, group in groups.items()}
    assert sizes == {
        "IngestHosts": (settings.ingest.least_hosts, settings.ingest.most_hosts),
        "WriterHosts": (settings.land.least, settings.land.most),
    }
    assert all("DesiredCapacity" not in group for group in groups.values()), "a deployment undoes no scaling"


def test_balancer_is_inside_the_network_and_speaks_http2_by_tls(
    raw_templates: Compose, environment: str
) -> None:
    template = ingest(raw_templates, environment)
    balancer = only(resources(template, "AWS::ElasticLoadBalancingV2::LoadBalancer"))
    assert (balancer["Type"], balancer["Scheme"]) == ("network", "internal")
    [group] = balancer["SecurityGroups"]
    assert "IngestBalancerGroup" in text_of(group)
    listener = only(resources(template, "AWS::ElasticLoadBalancingV2::Listener"))
    assert (listener["Protocol"], listener["Port"]) == ("TLS", 443)
    assert listener["AlpnPolicy"] == ["HTTP2Only"]
    assert "TLS13" in listener["SslPolicy"]
    settings = settings_of(environment)
    [certificate] = listener["Certificates"]
    assert certificate["CertificateArn"].endswith(
        f"{settings.account}:certificate/{settings.ingest.certificate_id}"
    )


def test_balancer_keeps_a_log_and_stays_where_things_are_kept(
    raw_templates: Compose, environment: str
) -> None:
    balancer = only(
        resources(ingest(raw_templates, environment), "AWS::ElasticLoadBalancingV2::LoadBalancer")
    )
    attributes = {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}
    prefix = settings_of(environment).bucket_prefix
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["access_logs.s3.bucket"] == f"{prefix}-logs"
    assert attributes["access_logs.s3.prefix"] == "balancer", "where the bucket lets it write"
    assert attributes["load_balancing.cross_zone.enabled"] == "true"
    kept = settings_of(environment).removal == "retain"
    assert attributes["deletion_protection.enabled"] == str(kept).lower()


def test_balancer_asks_hosts_over_http_and_lets_them_end_their_connections(
    raw_templates: Compose, environment: str
) -> None:
    template = ingest(raw_templates, environment)
    [(id_, target)] = resources(template, "AWS::ElasticLoadBalancingV2::TargetGroup").items()
    told = environment_file(template, environment, "ingest")
    assert target["HealthCheckProtocol"] == "HTTP"
    assert target["HealthCheckPath"] == "/healthz", (
        "not /readyz: Kafka being away must not replace every host"
    )
    assert target["HealthCheckPort"] == told["NEXUS_HEALTH_PORT"]
    assert (target["Protocol"], str(target["Port"])) == ("TCP", told["NEXUS_GRPC_PORT"])
    attributes = {one["Key"]: one["Value"] for one in target["TargetGroupAttributes"]}
    assert "deregistration_delay.connection_termination.enabled" not in attributes
    assert attributes["preserve_client_ip.enabled"] == "false"
    group = resources(template, "AWS::AutoScaling::AutoScalingGroup")["IngestHosts"]
    assert [text_of(arn) for arn in group["TargetGroupARNs"]] == [id_]
    assert group["HealthCheckType"] == "ELB"


def test_hosts_scale_by_cpu_and_by_connections(raw_templates: Compose, environment: str) -> None:
    policies = [
        policy
        for policy in resources(
            ingest(raw_templates, environment), "AWS::AutoScaling::ScalingPolicy"
        ).values()
        if text_of(policy["AutoScalingGroupName"]) == "IngestHosts"
    ]
    assert {policy["PolicyType"] for policy in policies} == {"TargetTrackingScaling"}
    tracked = [policy["TargetTrackingConfiguration"] for policy in policies]
    [cpu] = [one for one in tracked if "PredefinedMetricSpecification" in one]
    assert cpu["PredefinedMetricSpecification"]["PredefinedMetricType"] == "ASGAverageCPUUtilization"
    [connections] = [one for one in tracked if "CustomizedMetricSpecification" in one]
    metrics = connections["CustomizedMetricSpecification"]["Metrics"]
    names = {m["MetricStat"]["Metric"]["MetricName"] for m in metrics if "MetricStat" in m}
    assert names == {"ActiveFlowCount_TLS", "HealthyHostCount"}
    assert [m["Expression"] for m in metrics if m["ReturnData"]] == ["flows / hosts"]


def test_writers_scale_by_the_lag_of_every_topic(raw_templates: Compose, environment: str) -> None:
    template = ingest(raw_templates, environment)
    topics = {
        t["TopicName"] for t in resources(raw_templates(environment)["streaming"], "AWS::MSK::Topic").values()
    }
    alarms = resources(template, "AWS::CloudWatch::Alarm")
    thresholds = {}
    for alarm in alarms.values():
        stats = [m["MetricStat"]["Metric"] for m in alarm["Metrics"] if "MetricStat" in m]
        assert {stat["MetricName"] for stat in stats} == {"EstimatedMaxTimeLag"}
        seen = [{d["Name"]: d["Value"] for d in stat["Dimensions"]} for stat in stats]
        assert {one["Topic"] for one in seen} == topics
        assert {one["Consumer Group"] for one in seen} == {"nexus-bronze-writer"}
        assert all(set(one) == {"Cluster Name", "Consumer Group", "Topic"} for one in seen)
        thresholds[alarm["ComparisonOperator"]] = alarm["Threshold"]
    flush = settings_of(environment).land.flush_seconds
    less, more = thresholds["LessThanOrEqualToThreshold"], thresholds["GreaterThanOrEqualToThreshold"]
    assert flush < less < more, "a writer that keeps up is behind by the age of an object"
    assert more < settings_of(environment).streaming.retention_hours * 3600 / 4, "before the alarm"


def test_host_reads_what_it_is_given(raw_templates: Compose, environment: str) -> None:
    found = HostSettings.from_env(environment_file(ingest(raw_templates, environment), environment, "ingest"))
    assert found.kafka_auth == "iam"
    assert f"nexus-{environment}-streaming" in found.broker
    assert found.log == settings_of(environment).streaming.log
    assert found.registry == f"keystone-nexus-{environment}"
    assert (found.host, found.port, found.health_port) == ("0.0.0.0", 8443, 8081)
    assert 0 < found.connection_age_s <= 3600
    assert found.aws_endpoint is None
    assert found.backlog_bytes == 0, "MSK drops nothing by size"


def test_writer_reads_what_it_is_given(raw_templates: Compose, environment: str) -> None:
    given = environment_file(ingest(raw_templates, environment), environment, "writer")
    found, settings = WriterSettings.from_env(given), settings_of(environment)
    assert found.kafka_auth == "iam"
    assert found.log == settings.streaming.log
    assert found.lake.bucket == settings.buckets.bronze
    assert found.limits.size == settings.land.flush_mib * 1024**2
    assert found.limits.seconds == settings.land.flush_seconds
    assert found.limits.rows * 10 > found.limits.size, "bytes and seconds decide"
    assert found.health_port == 8081


def test_services_are_stopped_gently_and_started_again_unless_that_is_no_use(
    raw_templates: Compose, environment: str
) -> None:
    template = ingest(raw_templates, environment)
    host, writer = (facts(template, environment, service) for service in GROUPS)
    given = HostSettings.from_env(environment_file(template, environment, "ingest"))
    assert int(host["NEXUS_STOP_SECONDS"]) > given.answer_s + 5
    assert int(writer["NEXUS_STOP_SECONDS"]) >= 60
    assert (host["NEXUS_MODULE"], host["NEXUS_STAYS_DOWN"]) == ("grpc_ingest.server", "")
    assert (writer["NEXUS_MODULE"], writer["NEXUS_STAYS_DOWN"]) == ("bronze_writer", "2 3")


@pytest.mark.parametrize("service", GROUPS)
def test_artifact_is_named_by_its_content_and_only_it_may_be_fetched(
    raw_templates: Compose, environment: str, service: str
) -> None:
    template = ingest(raw_templates, environment)
    told = facts(template, environment, service)
    assert len(told["NEXUS_SHA256"]) == 64
    objects = may(rights(template, f"{service.capitalize()}Role"), "s3")
    place = f"arn:aws:s3:::{told['NEXUS_BUCKET']}/{told['NEXUS_KEY']}"
    assert objects[place] == {"s3:GetObject"}
    assert len(told["NEXUS_KEY"].partition(".")[0]) == 64


@pytest.mark.parametrize("service", GROUPS)
def test_agent_collects_logs_and_the_services_own_metrics(
    raw_templates: Compose, environment: str, service: str
) -> None:
    template = ingest(raw_templates, environment)
    text = script(template, environment, service)
    config = json.loads(text.partition("agent.json\" <<'NEXUS_END'\n")[2].partition("\nNEXUS_END")[0])
    scrapes = json.loads(text.partition("prometheus.yaml\" <<'NEXUS_END'\n")[2].partition("\nNEXUS_END")[0])
    files = config["logs"]["logs_collected"]["files"]["collect_list"]
    group = f"/nexus-{environment}-{service}"
    assert {one["log_group_name"] for one in files} == {group}
    assert "/var/log/nexus/service.log" in {one["file_path"] for one in files}
    [job] = scrapes["scrape_configs"]
    [target] = job["static_configs"]
    port = environment_file(template, environment, service)["NEXUS_HEALTH_PORT"]
    assert target == {"targets": [f"127.0.0.1:{port}"], "labels": {"service": service}}
    logs = named(resources(template, "AWS::Logs::LogGroup"), "LogGroupName", group)
    assert logs["RetentionInDays"] == settings_of(environment).observability.log_days


def test_agent_is_installed_on_every_host_without_an_address(
    raw_templates: Compose, environment: str
) -> None:
    template = ingest(raw_templates, environment)
    document = only(resources(template, "AWS::SSM::Document"))
    install, start = document["Content"]["mainSteps"]
    assert (install["action"], install["inputs"]["name"]) == ("aws:configurePackage", "AmazonCloudWatchAgent")
    assert "file:/etc/nexus/agent.json" in start["inputs"]["runCommand"][-1]
    assert "http" not in json.dumps(document["Content"])
    association = only(resources(template, "AWS::SSM::Association"))
    [target] = association["Targets"]
    assert target["Key"] == "tag:aws:autoscaling:groupName"
    assert set(target["Values"]) == {f"nexus-{environment}-{service}" for service in GROUPS}


def test_host_that_is_not_built_yet_stops_the_synthesis(raw_templates: Compose) -> None:
    with pytest.raises(SettingsError, match=r"dev\.ingest\.implementation is cpp"):
        ingest(raw_templates, "dev", ingest={"implementation": "cpp"})


def test_other_processors_stop_the_synthesis(raw_templates: Compose) -> None:
    with pytest.raises(SettingsError, match=r"dev\.ingest\.instance is c7i\.large: give a Graviton type"):
        ingest(raw_templates, "dev", ingest={"instance": "c7i.large"})


def test_writers_without_memory_for_what_they_hold_stop_the_synthesis(raw_templates: Compose) -> None:
    with pytest.raises(SettingsError, match=r"dev\.land: 1 x t4g\.medium have 2,458 MiB each for rows"):
        ingest(raw_templates, "dev", land={"flush_mib": 128})


def test_memory_of_instances_follows_family_and_size() -> None:
    found = [memory_gib(f"{family}7g.large", "x") for family in ("c", "m", "r")]
    assert found == [4, 8, 16]
    assert memory_gib("t4g.small", "x") == 2
    assert memory_gib("c7gn.xlarge", "x") == 8


def test_endpoint_is_told_to_who_deploys(raw_templates: Compose, environment: str) -> None:
    output = ingest(raw_templates, environment)["Outputs"]["Endpoint"]
    assert text_of(output["Value"]).endswith("DNSName:443")
