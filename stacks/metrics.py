"""Every metric that an alarm or the dashboard reads, by the name of what it is measured at, never by a construct."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.naming import Names

FIVE_MINUTES = Duration.minutes(5)
HOUR = Duration.hours(1)
DAY = Duration.days(1)  # S3 measures its buckets once a day


@dataclass(frozen=True)
class Metrics:
    """Metrics of one environment. Statistics are CloudWatch's: Sum, Maximum, Minimum, Average, p99."""

    names: Names

    def own(self, service: str, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """What one of our own processes counts; `service` is its package."""
        return _metric(self.names.metrics_namespace, name, {"service": service}, statistic)

    def queue(self, queue: str, name: str) -> cloudwatch.Metric:
        """An SQS queue's greatest value."""
        return _metric("AWS/SQS", name, {"QueueName": queue}, "Maximum")

    def queued(self, queue: str) -> cloudwatch.Metric:
        """How many messages were sent to a queue."""
        return _metric("AWS/SQS", "NumberOfMessagesSent", {"QueueName": queue}, "Sum")

    def function(self, package: str, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """A Lambda function of ours."""
        return _metric("AWS/Lambda", name, {"FunctionName": self.names.function(package)}, statistic)

    def cluster(self, name: str, statistic: str = "Maximum") -> cloudwatch.Metric:
        """The Kafka cluster as a whole."""
        return _metric("AWS/Kafka", name, {"Cluster Name": self.names.cluster}, statistic)

    def broker(self, number: int, name: str, statistic: str = "Maximum") -> cloudwatch.Metric:
        """One broker; they are numbered from 1."""
        dimensions = {"Cluster Name": self.names.cluster, "Broker ID": str(number)}
        return _metric("AWS/Kafka", name, dimensions, statistic)

    def lag(self, group: str, topic: str, name: str) -> cloudwatch.Metric:
        """How far a consumer group is behind on a topic. These three dimensions and no others."""
        dimensions = {"Cluster Name": self.names.cluster, "Consumer Group": group, "Topic": topic}
        return _metric("AWS/Kafka", name, dimensions, "Maximum")

    def connector(self, name: str, statistic: str = "Maximum") -> cloudwatch.Metric:
        """The sink on MSK Connect."""
        return _metric("AWS/KafkaConnect", name, {"ConnectorName": self.names.connector}, statistic)

    def ledger(self, name: str, statistic: str) -> cloudwatch.Metric:
        """The ledger's PostgreSQL."""
        return _metric("AWS/RDS", name, {"DBInstanceIdentifier": self.names.ledger_instance}, statistic)

    def hosts(self, group: str) -> cloudwatch.Metric:
        """Hosts of an auto scaling group that are in service; the group publishes its own metrics."""
        dimensions = {"AutoScalingGroupName": group}
        return _metric("AWS/AutoScaling", "GroupInServiceInstances", dimensions, "Minimum")

    def hosts_cpu(self, group: str) -> cloudwatch.Metric:
        """CPU of those hosts, in percent."""
        return _metric("AWS/EC2", "CPUUtilization", {"AutoScalingGroupName": group}, "Average")

    def bucket_bytes(self, bucket: str) -> cloudwatch.Metric:
        """Bytes of a bucket in its standard class."""
        dimensions = {"BucketName": bucket, "StorageType": "StandardStorage"}
        return _metric("AWS/S3", "BucketSizeBytes", dimensions, "Average", DAY)

    def bucket_objects(self, bucket: str) -> cloudwatch.Metric:
        """Objects of a bucket in all classes."""
        dimensions = {"BucketName": bucket, "StorageType": "AllStorageTypes"}
        return _metric("AWS/S3", "NumberOfObjects", dimensions, "Average", DAY)

    def airflow(self, function: str, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """MWAA; `function` is its word for the part that measures."""
        dimensions = {"Environment": self.names.airflow, "Function": function}
        return _metric("AmazonMWAA", name, dimensions, statistic)


def found(expression: str, label: str, period: Duration = FIVE_MINUTES) -> cloudwatch.MathExpression:
    """What CloudWatch finds itself when the dashboard is opened: of things that only AWS names. Not for alarms."""
    return cloudwatch.MathExpression(expression=expression, using_metrics={}, label=label, period=period)


def _metric(
    namespace: str, name: str, dimensions: dict[str, str], statistic: str, period: Duration = FIVE_MINUTES
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=period,
    )
