"""The one page that shows the pipeline, in the order of the way of the data. A row per question."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.alarm_spec import broker_numbers, has_disks, topics
from stacks.metrics import DAY, HOUR, Metrics, found
from stacks.naming import Names
from stacks.settings import Settings

_THIRD = 8  # of the 24 columns that a row has
_HEIGHT = 6
LAYERS = ("bronze", "silver", "quarantine", "gold")


def add_dashboard(
    scope: Construct, settings: Settings, deployed: frozenset[str], alarms: Sequence[cloudwatch.IAlarm]
) -> cloudwatch.Dashboard:
    """`deployed`: names of the stacks there are; what none of them measures is not drawn."""
    names = Names(settings.environment, settings.bucket_prefix)
    metrics = Metrics(names)
    rows: list[list[cloudwatch.IWidget]] = [
        [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=4)],
        _ingest(metrics),
        _land(metrics, settings),
        _check(metrics),
        _lake(metrics),
        _ledger(metrics),
        _money(metrics),
    ]
    if "orchestration" in deployed:
        rows.append(_gold(metrics))
    dashboard = cloudwatch.Dashboard(
        scope, "Pipeline", dashboard_name=names.of("pipeline"), default_interval=Duration.hours(12)
    )
    for row in rows:
        dashboard.add_widgets(*row)
    return dashboard


def _ingest(metrics: Metrics) -> list[cloudwatch.IWidget]:
    told = [
        metrics.own("ingest", "nexus_events_acknowledged_total").with_(label="accepted"),
        metrics.own("ingest", "nexus_events_refused_total").with_(label="refused"),
    ]
    group = metrics.names.ingest_hosts
    return [
        _graph("Ingest: events accepted and refused", told),
        _graph("Ingest: hosts in service", [metrics.hosts(group)], right=[metrics.hosts_cpu(group)]),
        _graph("Canary: seconds from gRPC to Silver", [metrics.own("canary", "EndToEndSeconds", "Maximum")]),
    ]


def _land(metrics: Metrics, settings: Settings) -> list[cloudwatch.IWidget]:
    group = metrics.names.landing_group(settings.land.by)
    oldest = [metrics.lag(group, topic, "EstimatedMaxTimeLag").with_(label=topic) for topic in topics()]
    landed = [metrics.own("writer", "nexus_landed_rows_total").with_(label="rows to Bronze")]
    behind = [metrics.lag(group, topic, "SumOffsetLag").with_(label=topic) for topic in topics()]
    lost_at = cloudwatch.HorizontalAnnotation(
        value=settings.streaming.retention_hours * 3600, label="retention ends", color=cloudwatch.Color.RED
    )
    disk = "KafkaDataLogsDiskUsed" if has_disks(settings) else "StorageUsed"
    brokers = [
        metrics.broker(number, disk).with_(label=f"broker {number}") for number in broker_numbers(settings)
    ]
    return [
        _graph("Land: seconds to the oldest unlanded record, against retention", oldest, lines=[lost_at]),
        _graph("Land: rows to Bronze, and records not there yet", landed, right=behind),
        _graph(f"Kafka: {disk}", brokers),
    ]


def _check(metrics: Metrics) -> list[cloudwatch.IWidget]:
    names = metrics.names
    rows = [metrics.own("check_rows", name) for name in ("RowsToSilver", "RowsToQuarantine")]
    wait = metrics.queue(names.check_queue, "ApproximateAgeOfOldestMessage")
    trouble = [
        metrics.queue(names.check_dead_letters, "ApproximateNumberOfMessagesVisible").with_(label="dead"),
        metrics.queue(names.rule_dead_letters, "ApproximateNumberOfMessagesVisible").with_(
            label="undelivered"
        ),
        *(
            metrics.own("check_rows", name)
            for name in ("MessagesFailed", "MessagesOverlap", "MessagesGone", "ObjectsUnreadable")
        ),
    ]
    return [
        _graph("Check: rows to Silver and Quarantine", rows),
        _graph(
            "Check: objects announced, and seconds that the oldest waits",
            [metrics.queued(names.check_queue)],
            right=[wait],
        ),
        _graph("Check: what went wrong", trouble),
    ]


def _lake(metrics: Metrics) -> list[cloudwatch.IWidget]:
    buckets = {layer: getattr(metrics.names.buckets, layer) for layer in LAYERS}
    sizes = [metrics.bucket_bytes(bucket).with_(label=layer) for layer, bucket in buckets.items()]
    counts = [metrics.bucket_objects(bucket).with_(label=layer) for layer, bucket in buckets.items()]
    grown = [
        cloudwatch.MathExpression(
            expression=f"DIFF({layer})", using_metrics={layer: size}, label=layer, period=DAY
        )
        for layer, size in zip(buckets, sizes, strict=True)
    ]
    return [
        _graph("Lake: bytes", sizes, period=DAY),
        _graph("Lake: bytes more than the day before", grown, period=DAY),
        _graph("Lake: objects", counts, period=DAY),
    ]


def _ledger(metrics: Metrics) -> list[cloudwatch.IWidget]:
    open_ends = ("ObjectsAnnouncedAgain", "ObjectsStuck", "ObjectsMissing", "LoadsUncovered")
    balance = [metrics.own("sweep_bronze", name, "Maximum") for name in open_ends]
    return [
        _graph("Ledger balance: what lake and ledger do not agree on", balance),
        _graph(
            "Ledger: processor and connections",
            [metrics.ledger("CPUUtilization", "Average")],
            right=[metrics.ledger("DatabaseConnections", "Maximum")],
        ),
        _graph("Ledger: bytes left on disk", [metrics.ledger("FreeStorageSpace", "Minimum")]),
    ]


def _money(metrics: Metrics) -> list[cloudwatch.IWidget]:
    """What the bill follows; its sum is the budget's."""
    scanned = found(
        "SEARCH('{AWS/Athena,QueryState,QueryType,WorkGroup} MetricName=\"ProcessedBytes\"', 'Sum', 86400)",
        "",
        DAY,
    )
    through_nat = found(
        "SEARCH('{AWS/NATGateway,NatGatewayId} MetricName=\"BytesOutToDestination\"', 'Sum', 3600)", "", HOUR
    )
    return [
        _graph("Cost: milliseconds of checks", [metrics.function("check_rows", "Duration")], period=HOUR),
        _graph("Cost: bytes that Athena read", [scanned], period=DAY),
        _graph("Cost: bytes through the NAT gateway", [through_nat], period=HOUR),
    ]


def _gold(metrics: Metrics) -> list[cloudwatch.IWidget]:
    return [
        _graph("Gold: seconds behind Silver", [metrics.own("gold", "SecondsBehindSilver", "Maximum")]),
        _graph("Airflow: heartbeats", [metrics.airflow("Scheduler", "SchedulerHeartbeat")]),
    ]


def _graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    *,
    right: Sequence[cloudwatch.IMetric] = (),
    lines: Sequence[cloudwatch.HorizontalAnnotation] = (),
    period: Duration | None = None,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(left),
        right=list(right) or None,
        left_annotations=list(lines) or None,
        left_y_axis=cloudwatch.YAxisProps(min=0),
        period=period,
        width=_THIRD,
        height=_HEIGHT,
    )
