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
_MINUTE = Duration.minutes(1)
_WARM_S = 600  # until a new writer has its partitions and has caught up with what waited for it


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
    oldest = cloudwatch.MathExpression(
        expression=f"MAX([{', '.join(lags)}])",
        using_metrics={name: lag.with_(period=_MINUTE) for name, lag in lags.items()},
        label="seconds to the oldest unlanded record",
        period=_MINUTE,
    )
    soon, late, very_late = 2 * flush_s, 4 * flush_s + 60, 20 * flush_s + 60
    less = _add_policy(stack, "WritersLess", writers, [_step(-1, upper=0)])
    more = _add_policy(
        stack,
        "WritersMore",
        writers,
        [_step(1, lower=0, upper=very_late - late), _step(2, lower=very_late - late)],
    )
    at_most = cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD
    at_least = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
    keeps_up = "Every record is landed soon: one writer less, if more run than must."
    waits = "Records wait for several objects' time: one writer more, if one more may run."
    for policy, beyond, limit, says in ((less, at_most, soon, keeps_up), (more, at_least, late, waits)):
        alarm = cloudwatch.Alarm(
            stack,
            f"{policy.node.id}Alarm",
            alarm_description=described(stack.settings, says, "landing-behind"),
            metric=oldest,
            comparison_operator=beyond,
            threshold=limit,
            # each change makes Kafka hand out the partitions anew, and every writer look into S3
            evaluation_periods=10,
        )
        resource = alarm.node.default_child
        assert isinstance(resource, cloudwatch.CfnAlarm)
        resource.alarm_actions = [policy.ref]


def _add_policy(
    stack: NexusStack,
    id_: str,
    writers: autoscaling.AutoScalingGroup,
    steps: list[autoscaling.CfnScalingPolicy.StepAdjustmentProperty],
) -> autoscaling.CfnScalingPolicy:
    """By the resource itself: CDK's `scale_on_metric` gives every policy a cooldown, which steps do not have."""
    return autoscaling.CfnScalingPolicy(
        stack,
        id_,
        auto_scaling_group_name=writers.auto_scaling_group_name,
        policy_type="StepScaling",
        adjustment_type="ChangeInCapacity",
        estimated_instance_warmup=_WARM_S,
        step_adjustments=steps,
    )


def _step(
    change: int, *, lower: int | None = None, upper: int | None = None
) -> autoscaling.CfnScalingPolicy.StepAdjustmentProperty:
    """Seconds are counted from the alarm's threshold."""
    return autoscaling.CfnScalingPolicy.StepAdjustmentProperty(
        scaling_adjustment=change, metric_interval_lower_bound=lower, metric_interval_upper_bound=upper
    )
