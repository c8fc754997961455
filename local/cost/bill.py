"""From the resources of a template to the lines of a bill. What is neither priced nor known to be free is named."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.cost.load import GB, HOURS, LOG_BYTES_PER_OBJECT, Load, processors
from stacks.naming import Names

Properties = Mapping[str, Any]

_PROCESSORS_OF_PROXY = 2  # RDS Proxy counts those of its database, two at least
_AIRFLOW_DB_GB = 10
_FLOW_LOG_GB = 2  # a month, of an idle network; it grows with its connections, not with bytes
_OWN_METRICS = 25  # that our processes and the hosts' agents publish
_HOST_LOG_GB = 0.3
_PUTS_PER_OBJECT = 3.2  # Bronze, Silver, at times Quarantine; the writer's listing
_GETS_PER_OBJECT = 4  # HEAD, and the parts that are read
_QUEUE_REQUESTS_PER_OBJECT = 4  # in, out, deleted, and a poll that found nothing
_KEY_CALLS_PER_OBJECT = 2  # bucket keys keep most of them away
_AWS_CALL_BYTES_PER_OBJECT = 20_000  # to services other than S3


@dataclass(frozen=True)
class Line:
    """`quantity` units of the price of that name in a month."""

    price: str
    quantity: float


@dataclass(frozen=True)
class Setting:
    """In what a resource stands: the resources of its template, the load, what is deployed beside it."""

    resources: Mapping[str, Mapping[str, Any]]
    load: Load
    orchestrated: bool

    @property
    def names(self) -> Names:
        """Names of the environment."""
        settings = self.load.settings
        return Names(settings.environment, settings.bucket_prefix)


def lines_of(resource: Mapping[str, Any], setting: Setting) -> list[Line] | None:
    """What a resource adds to the bill; nothing for what is free; None for a type that nobody has looked at."""
    kind = resource["Type"]
    if kind in PRICED:
        lines = PRICED[kind](resource.get("Properties", {}), setting)
        return [line for line in lines if line.quantity]
    return [] if kind in FREE or kind.startswith("Custom::") else None


def _cluster(properties: Properties, setting: Setting) -> Iterator[Line]:
    nodes = properties["BrokerNodeGroupInfo"]
    brokers, load = properties["NumberOfBrokerNodes"], setting.load
    yield Line(nodes["InstanceType"], brokers * HOURS)
    if nodes["InstanceType"].startswith("express."):
        kept = load.wire_gb * load.settings.streaming.retention_hours / HOURS
        yield Line("kafka storage", kept)
    else:
        size = nodes["StorageInfo"]["EBSStorageInfo"]["VolumeSize"]
        yield Line("kafka storage", brokers * size)
    # two of three clients stand in another zone than the broker they talk to: once in, once out
    yield Line("between zones", load.wire_gb * 2 * 2 / 3 * 2)


def _connector(properties: Properties, setting: Setting) -> Iterator[Line]:
    capacity = properties["Capacity"]
    scaled = capacity.get("AutoScaling") or capacity["ProvisionedCapacity"]
    yield Line("kafka connect unit", setting.load.writer_hosts() * scaled["McuCount"] * HOURS)


def _hosts(properties: Properties, setting: Setting) -> Iterator[Line]:
    name, load = properties.get("AutoScalingGroupName"), setting.load
    number = load.ingest_hosts() if name == setting.names.ingest_hosts else load.writer_hosts()
    template = _launched(properties, setting)
    yield Line(f"ec2.{template['InstanceType']}", number * HOURS)
    for disk in template.get("BlockDeviceMappings", []):
        yield Line("disk", number * disk["Ebs"]["VolumeSize"])
    yield Line("logs", number * _HOST_LOG_GB)


def _launched(properties: Properties, setting: Setting) -> Properties:
    launched = properties.get("LaunchTemplate") or properties["MixedInstancesPolicy"]["LaunchTemplate"]
    version = launched.get("LaunchTemplateSpecification", launched)
    found: Properties = setting.resources[version["LaunchTemplateId"]["Ref"]]["Properties"][
        "LaunchTemplateData"
    ]
    return found


def _balancer(_: Properties, setting: Setting) -> Iterator[Line]:
    yield Line("balancer", HOURS)
    # a unit is 1 GB an hour; new connections are few, for clients keep theirs
    yield Line("balancer unit", max(setting.load.wire_gb, HOURS * 0.01))


def _nat(_: Properties, setting: Setting) -> Iterator[Line]:
    yield Line("nat", HOURS)
    yield Line("nat traffic", 1 + setting.load.objects * _AWS_CALL_BYTES_PER_OBJECT / GB)


def _endpoint(properties: Properties, setting: Setting) -> Iterator[Line]:
    if properties.get("VpcEndpointType") == "Interface":
        yield Line("endpoint", len(properties["SubnetIds"]) * HOURS)


def _database(properties: Properties, _: Setting) -> Iterator[Line]:
    copies = 2 if properties.get("MultiAZ") else 1
    yield Line(f"rds.{properties['DBInstanceClass'].removeprefix('db.')}", copies * HOURS)
    yield Line("rds storage", copies * float(properties["AllocatedStorage"]))
    if properties.get("ManageMasterUserPassword"):
        yield Line("secret", 1)


def _proxy(_: Properties, setting: Setting) -> Iterator[Line]:
    size = processors(setting.load.settings.database.instance)
    yield Line("rds proxy", max(_PROCESSORS_OF_PROXY, size) * HOURS)


def _airflow(properties: Properties, _: Setting) -> Iterator[Line]:
    size = properties["EnvironmentClass"]
    yield Line(f"airflow.{size}", HOURS)
    yield Line("airflow storage", _AIRFLOW_DB_GB)


def _bucket(properties: Properties, setting: Setting) -> Iterator[Line]:
    prefix, load = setting.load.settings.bucket_prefix, setting.load
    layer = str(properties.get("BucketName", "")).removeprefix(f"{prefix}-")
    cold = load.cold_gb(layer)
    yield Line("s3 standard", load.stored_gb(layer) - cold)
    yield Line("s3 cold", cold)
    yield Line("s3 move", load.moved_objects(layer) / 1_000)
    if layer == "bronze":
        yield Line("s3 put", load.objects * _PUTS_PER_OBJECT / 1_000)
        yield Line("s3 get", load.objects * _GETS_PER_OBJECT / 1_000)
        yield Line("s3 event", load.objects / 1e6)
        yield Line("kms call", load.objects * _KEY_CALLS_PER_OBJECT / 10_000)


def _function(properties: Properties, setting: Setting) -> Iterator[Line]:
    load, names = setting.load, setting.names
    name, gib = properties.get("FunctionName"), properties.get("MemorySize", 128) / 1024
    if name == names.function("canary"):
        yield Line("lambda time", load.canary_seconds * gib)
    elif name == names.function("sweep_bronze"):
        yield Line("lambda time", load.sweep_seconds * gib)
        yield Line("s3 put", load.sweeps * load.pages_per_sweep / 1_000)  # a listing costs as much as a PUT
    elif name == names.function("check_rows"):
        yield Line("lambda time", load.check_seconds * gib)
        yield Line("lambda call", load.objects / 1e6)
        yield Line("logs", load.objects * LOG_BYTES_PER_OBJECT / GB)
    # the others run for seconds a day


def _queue(properties: Properties, setting: Setting) -> Iterator[Line]:
    polls = 5 * 3 * HOURS * 60  # Lambda's five pollers ask every twenty seconds, whether there is work or not
    if properties.get("QueueName") == setting.names.check_queue:
        yield Line("sqs", (polls + setting.load.objects * _QUEUE_REQUESTS_PER_OBJECT) / 1e6)


def _workgroup(properties: Properties, setting: Setting) -> Iterator[Line]:
    if properties["Name"] == setting.names.workgroup("analysts"):
        yield Line("athena", setting.load.scanned_tb(setting.orchestrated))


def _key(_: Properties, setting: Setting) -> Iterator[Line]:
    yield Line("kms key", 1)


def _dashboard(_: Properties, setting: Setting) -> Iterator[Line]:
    yield Line("dashboard", 1)
    yield Line("metric", _OWN_METRICS)


def _alarm(properties: Properties, _: Setting) -> Iterator[Line]:
    """Paid for by the metrics that it looks at."""
    looked_at = sum("MetricStat" in metric for metric in properties.get("Metrics", []))
    yield Line("alarm", max(1, looked_at))


def _one(price: str) -> Callable[[Properties, Setting], Iterator[Line]]:
    def lines(_: Properties, setting: Setting) -> Iterator[Line]:
        yield Line(price, 1)

    return lines


def _hourly(price: str) -> Callable[[Properties, Setting], Iterator[Line]]:
    def lines(_: Properties, setting: Setting) -> Iterator[Line]:
        yield Line(price, HOURS)

    return lines


def _flow_log(_: Properties, setting: Setting) -> Iterator[Line]:
    yield Line("logs", _FLOW_LOG_GB)
    yield Line("logs kept", _FLOW_LOG_GB * setting.load.settings.observability.log_days / 30)


PRICED: Mapping[str, Callable[[Properties, Setting], Iterator[Line]]] = {
    "AWS::Athena::WorkGroup": _workgroup,
    "AWS::AutoScaling::AutoScalingGroup": _hosts,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::EC2::EIP": _hourly("public address"),
    "AWS::EC2::FlowLog": _flow_log,
    "AWS::EC2::NatGateway": _nat,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _balancer,
    "AWS::KMS::Key": _key,
    "AWS::KafkaConnect::Connector": _connector,
    "AWS::Lambda::Function": _function,
    "AWS::MSK::Cluster": _cluster,
    "AWS::MWAA::Environment": _airflow,
    "AWS::RDS::DBInstance": _database,
    "AWS::RDS::DBProxy": _proxy,
    "AWS::S3::Bucket": _bucket,
    "AWS::SQS::Queue": _queue,
    "AWS::SecretsManager::Secret": _one("secret"),
}

# Looked at: they cost nothing, or nothing that this load makes visible.
FREE = frozenset(
    {
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::Athena::NamedQuery",
        "AWS::AutoScaling::LifecycleHook",
        "AWS::AutoScaling::ScalingPolicy",
        "AWS::Budgets::Budget",
        "AWS::CDK::Metadata",
        "AWS::CloudFormation::CustomResource",
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentGroup",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::Route",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "AWS::Events::Rule",  # S3's events are counted at the bucket
        "AWS::Glue::Database",
        "AWS::Glue::Registry",
        "AWS::Glue::Schema",
        "AWS::Glue::SchemaVersion",
        "AWS::Glue::Table",  # a million objects of the catalog are free
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::KafkaConnect::CustomPlugin",
        "AWS::KafkaConnect::WorkerConfiguration",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::LogGroup",  # what goes in is counted where it comes from
        "AWS::Logs::MetricFilter",
        "AWS::Logs::ResourcePolicy",
        "AWS::MSK::ClusterPolicy",
        "AWS::MSK::Configuration",
        "AWS::MSK::Topic",
        "AWS::RDS::DBParameterGroup",
        "AWS::RDS::DBProxyTargetGroup",
        "AWS::RDS::DBSubnetGroup",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Association",
        "AWS::SSM::Document",
        "AWS::SSM::Parameter",
        "AWS::Scheduler::Schedule",
        "AWS::SecretsManager::RotationSchedule",
        "AWS::SecretsManager::SecretTargetAttachment",
    }
)
