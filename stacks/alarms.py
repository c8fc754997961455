"""What must not go unnoticed, as a table: each alarm watches one stack's work and has a runbook of its own name."""

from collections.abc import Iterator

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.alarm_spec import (
    BELOW,
    SILENT_IS_ILL,
    AlarmSpec,
    broker_numbers,
    has_disks,
    topics,
)
from stacks.metrics import HOUR, Metrics
from stacks.naming import Names
from stacks.settings import Settings

_GIB = 1024**3
CANARY_EVERY = Duration.minutes(15)
# Beyond landing's flush: to be sent, to be announced, and to be checked behind whatever else waits.
CANARY_SLACK = Duration.minutes(3)


def all_alarms(settings: Settings) -> list[AlarmSpec]:
    """Every alarm of an environment in which every stack is deployed, in the order of the way of the data."""
    names = Names(settings.environment, settings.bucket_prefix)
    metrics = Metrics(names)
    return [
        *_of_hosts(metrics, settings),
        *_of_the_cluster(metrics, settings),
        *_of_landing(metrics, settings),
        *_of_the_connector(metrics),
        *_of_queues(metrics),
        *_of_the_check(metrics),
        *_of_the_sweep(metrics),
        *_of_the_ledger(metrics, settings),
        *_of_the_canary(metrics, settings),
        *_of_airflow(metrics),
    ]


def _of_hosts(metrics: Metrics, settings: Settings) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "ingest-hosts-missing",
        "ingest",
        "Fewer gRPC hosts are in service than there must be at rest.",
        metrics.hosts(metrics.names.ingest_hosts),
        limit=settings.ingest.least_hosts,
        times=3,  # a host that is replaced is back within ten minutes
        beyond=BELOW,
        silent=SILENT_IS_ILL,
    )
    if settings.land.by == "writer":
        yield AlarmSpec(
            "writer-hosts-missing",
            "ingest",
            "Fewer hosts of the Bronze writer are in service than there must be at rest.",
            metrics.hosts(metrics.names.writer_hosts),
            limit=settings.land.least,
            times=3,
            beyond=BELOW,
            silent=SILENT_IS_ILL,
        )


def _of_the_cluster(metrics: Metrics, settings: Settings) -> Iterator[AlarmSpec]:
    for broker in broker_numbers(settings):
        cpu = cloudwatch.MathExpression(
            expression="user + system",
            using_metrics={
                "user": metrics.broker(broker, "CpuUser", "Average"),
                "system": metrics.broker(broker, "CpuSystem", "Average"),
            },
        )
        # Amazon's advice: below 60 the others can carry what a broker leaves behind when it is replaced.
        yield AlarmSpec(
            "kafka-cpu-high",
            "streaming",
            f"Broker {broker} is busier than the others could carry if it went.",
            cpu,
            limit=60,
            times=6,
            about=str(broker),
        )
        if has_disks(settings):
            yield AlarmSpec(
                "kafka-disk-full",
                "streaming",
                f"The disk of broker {broker} is filling: a full one takes no more events.",
                metrics.broker(broker, "KafkaDataLogsDiskUsed"),
                limit=70,  # percent; enlarging a disk takes hours, and can be done once in six
                times=3,
                about=str(broker),
            )
    if has_disks(settings):
        yield AlarmSpec(
            "kafka-partitions-offline",
            "streaming",
            "Partitions have no leader: events for them are refused.",
            metrics.cluster("OfflinePartitionsCount"),
            limit=0,
        )


def _of_landing(metrics: Metrics, settings: Settings) -> Iterator[AlarmSpec]:
    group = metrics.names.landing_group(settings.land.by)
    retention_s = settings.streaming.retention_hours * 3600
    for topic in topics():
        yield AlarmSpec(
            "landing-behind",
            "streaming",
            f"The oldest record of {topic} that is not in Bronze is growing old: at the end of retention it is lost.",
            metrics.lag(group, topic, "EstimatedMaxTimeLag"),
            limit=retention_s / 4,  # three quarters of retention are left to mend it
            times=2,
            about=topic.replace(".", "-"),
        )


def _of_the_connector(metrics: Metrics) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "connector-tasks-failed",
        "connect",
        "Tasks of the sink connector have failed, or none runs.",
        cloudwatch.MathExpression(
            expression="FILL(errored, 0) + IF(FILL(running, 0) < 1, 1, 0)",
            using_metrics={
                "errored": metrics.connector("ErroredTaskCount"),
                "running": metrics.connector("RunningTaskCount", "Minimum"),
            },
        ),
        limit=0,
        times=3,
        silent=SILENT_IS_ILL,
    )


def _of_queues(metrics: Metrics) -> Iterator[AlarmSpec]:
    names = metrics.names
    yield AlarmSpec(
        "check-dead-letters",
        "processing",
        "Announcements of Bronze objects failed too often and wait in the dead-letter queue.",
        metrics.queue(names.check_dead_letters, "ApproximateNumberOfMessagesVisible"),
        limit=0,
    )
    yield AlarmSpec(
        "bronze-events-undelivered",
        "processing",
        "EventBridge could not hand announcements of Bronze objects to the check queue.",
        metrics.queue(names.rule_dead_letters, "ApproximateNumberOfMessagesVisible"),
        limit=0,
    )
    yield AlarmSpec(
        "check-queue-late",
        "processing",
        "Bronze objects wait to be checked for more than a quarter of an hour.",
        metrics.queue(names.check_queue, "ApproximateAgeOfOldestMessage"),
        limit=15 * 60,
        times=3,
    )


def _of_the_check(metrics: Metrics) -> Iterator[AlarmSpec]:
    def counted(runbook: str, name: str, says: str) -> AlarmSpec:
        return AlarmSpec(runbook, "processing", says, metrics.own("check_rows", name), limit=0)

    yield AlarmSpec(
        "check-failing",
        "processing",
        "The check hop fails again and again; messages go back into the queue.",
        metrics.function("check_rows", "Errors"),
        limit=0,
        times=3,  # one failure is retried and gone
    )
    yield counted(
        "objects-overlap", "MessagesOverlap", "Bronze objects hold offsets that others hold already."
    )
    yield counted("objects-gone", "MessagesGone", "Bronze objects were announced and are not there any more.")
    yield counted("objects-unreadable", "ObjectsUnreadable", "Bronze objects could not be read as Parquet.")
    rows = {
        "good": metrics.own("check_rows", "RowsToSilver").with_(period=HOUR),
        "bad": metrics.own("check_rows", "RowsToQuarantine").with_(period=HOUR),
    }
    yield AlarmSpec(
        "quarantine-share-high",
        "processing",
        "More than a tenth of the rows of an hour went to Quarantine.",
        # below 1,000 rows an hour the canary's own bad events would weigh too much
        cloudwatch.MathExpression(
            expression="IF(good + bad > 1000, 100 * bad / (good + bad), 0)", using_metrics=rows, period=HOUR
        ),
        limit=10,
    )


def _of_the_sweep(metrics: Metrics) -> Iterator[AlarmSpec]:
    def found(runbook: str, name: str, says: str, hours: int = 1) -> AlarmSpec:
        metric = metrics.own("sweep_bronze", name, "Minimum").with_(period=HOUR)
        return AlarmSpec(runbook, "processing", says, metric, limit=0, times=hours)

    yield AlarmSpec(
        "sweep-silent",
        "processing",
        "Nobody has compared lake and ledger for an hour.",
        metrics.own("sweep_bronze", "ObjectsStuck", "SampleCount").with_(period=HOUR),
        limit=1,
        beyond=BELOW,
        silent=SILENT_IS_ILL,
    )
    yield found(
        "objects-stuck", "ObjectsStuck", "Objects cannot be committed: they overlap others, or are gone."
    )
    yield found("objects-missing", "ObjectsMissing", "The ledger knows objects that the lake does not hold.")
    yield found(
        "loads-uncovered", "LoadsUncovered", "Batch files were begun and are not loaded to the end.", hours=6
    )


def _of_the_ledger(metrics: Metrics, settings: Settings) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "ledger-storage-low",
        "database",
        "The ledger's disk is nearly full: it has grown to the most that the settings allow.",
        metrics.ledger("FreeStorageSpace", "Minimum"),
        limit=0.05 * settings.database.storage_gib * _GIB,  # RDS itself enlarges it at a tenth
        times=6,
        beyond=BELOW,
    )
    yield AlarmSpec(
        "ledger-busy",
        "database",
        "The ledger's processor is busy for half an hour, or the ledger is away.",
        metrics.ledger("CPUUtilization", "Average"),
        limit=80,
        times=6,
        silent=SILENT_IS_ILL,
    )


def _of_the_canary(metrics: Metrics, settings: Settings) -> Iterator[AlarmSpec]:
    allowed_s = settings.land.flush_seconds + int(CANARY_SLACK.to_seconds())
    yield AlarmSpec(
        "canary-late",
        "canary",
        f"Events that the canary sent were not in Silver and Quarantine within {allowed_s} seconds, or it did not run.",
        metrics.own("canary", "EndToEndSeconds", "Maximum").with_(period=HOUR),
        limit=allowed_s,
        silent=SILENT_IS_ILL,  # a canary that is silent is no good news
    )
    yield AlarmSpec(
        "canary-failed",
        "canary",
        "Twice in a row the canary found something that it did not expect.",
        # the least of the two runs in it: one that went well is enough
        metrics.own("canary", "ChecksFailed", "Minimum").with_(period=Duration.minutes(30)),
        limit=0,
    )


def _of_airflow(metrics: Metrics) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "airflow-silent",
        "orchestration",
        "Airflow's scheduler has stopped: no load is taken and no Gold is built.",
        metrics.airflow("Scheduler", "SchedulerHeartbeat"),
        limit=1,
        times=3,
        beyond=BELOW,
        silent=SILENT_IS_ILL,
    )
    yield AlarmSpec(
        "gold-late",
        "orchestration",
        "What was committed to Silver is not in Gold for more than an hour.",
        metrics.own("gold", "SecondsBehindSilver", "Maximum"),
        limit=60 * 60,
        times=3,
        silent=SILENT_IS_ILL,
    )
