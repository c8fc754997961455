"""How many hosts write Bronze: as many as keep up, bounded by what their memory holds."""

from aws_cdk import Duration
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch

from lakehouse.errors import SettingsError
from stacks.alarm_spec import described
from stacks.base import NexusStack
from stacks.instances import memory_gib
from stacks.metrics import Metrics
from stacks.settings import Settings

_MIB_PER_GIB = 1024
# A partition's rows are held up to twice, being landed and waiting behind that; each costs two thirds more than its
# bytes as a Python object. What is left is for Arrow, librdkafka and the system.
_HELD = 2
_FOR_ROWS = 0.6


def require_memory(settings: Settings, topics: int) -> None:
    """SettingsError when hosts at rest could not hold an object of every partition, as they do when they catch up."""
    land = settings.land
    each = topics * settings.streaming.partitions * land.flush_mib * _HELD / land.least
    room = memory_gib(land.instance, f"{settings.environment}.land.instance") * _MIB_PER_GIB * _FOR_ROWS
    if each > room:
        raise SettingsError(
            f"{settings.environment}.land: {land.least} x {land.instance} have {room:,.0f} MiB each for rows, and "
            f"{land.flush_mib} MiB of every partition take {each:,.0f}: give a smaller flush_mib, a larger instance "
            "or more of them"
        )


def scale_by_lag(stack: NexusStack, writers: autoscaling.AutoScalingGroup, topics: list[str]) -> None:
    """One more when the oldest record of any topic waits for several objects' time, one less when all keep up.

    Offsets are committed behind an object, so a writer that keeps up is behind by the age at which objects are written.
    """
    flush_s = stack.settings.land.flush_seconds
    group, metrics = stack.names.consumer_group, Metrics(stack.names)
    lags = {f"lag{n}": metrics.lag(group, topic, "EstimatedMaxTimeLag") for n, topic in enumerate(topics)}
    period = Duration.minutes(1)
    oldest = cloudwatch.MathExpression(
        expression=f"MAX([{', '.join(lags)}])",
        using_metrics={name: lag.with_(period=period) for name, lag in lags.items()},
        label="seconds to the oldest unlanded record",
        period=period,
    )
    policy = writers.scale_on_metric(
        "ScaleByLag",
        metric=oldest,
        adjustment_type=autoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
        scaling_steps=[
            autoscaling.ScalingInterval(upper=2 * flush_s, change=-1),
            autoscaling.ScalingInterval(lower=4 * flush_s + 60, change=1),
            autoscaling.ScalingInterval(lower=20 * flush_s + 60, change=2),
        ],
        # each change makes Kafka hand out the partitions anew, and every writer look into S3
        evaluation_periods=10,
        estimated_instance_warmup=Duration.minutes(10),
    )
    for alarm, says in (
        (policy.lower_alarm, "Every record is landed soon: one writer less, if more run than must."),
        (policy.upper_alarm, "Records wait for several objects' time: one writer more, if one more may run."),
    ):
        assert alarm is not None
        resource = alarm.node.default_child
        assert isinstance(resource, cloudwatch.CfnAlarm)
        resource.alarm_description = described(stack.settings, says, "landing-behind")
