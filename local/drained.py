"""Stops the intake of an environment on AWS and waits until everything that was taken is checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import boto3

from lakehouse.catalog import load_entities
from lakehouse.errors import RuntimeFault
from stacks.naming import Names
from stacks.settings import Settings

# An open object is closed by its age, then checked: both take minutes. Lag is measured once a minute, and late.
PATIENCE = timedelta(minutes=30)
POLL_S = 30.0
_LAG_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True)
class Drain:
    """`run` may be repeated; RuntimeFault when not everything has come through within half an hour.

    Kafka measures no lag of a topic that nothing was ever landed from: such entities are to be named in `forget`.
    """

    autoscaling: Any
    cloudwatch: Any
    sqs: Any
    names: Names
    by: str
    forget: Sequence[str]
    say: Callable[[str], None]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]

    @classmethod
    def connect(
        cls,
        settings: Settings,
        forget: Sequence[str],
        say: Callable[[str], None],
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> Self:
        """With the credentials of this process."""
        hosts, lag, queues = (
            boto3.client(service, region_name=settings.region)
            for service in ("autoscaling", "cloudwatch", "sqs")
        )
        names = Names(settings.environment, settings.bucket_prefix)
        return cls(hosts, lag, queues, names, settings.land.by, forget, say, now, sleep)

    def run(self) -> None:
        """No host takes events any more; Kafka is landed, the check queue empty, nothing is dead."""
        self.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=self.names.ingest_hosts, MinSize=0, DesiredCapacity=0
        )
        deadline = self.now() + PATIENCE
        while open_ends := self.open_ends():
            if self.now() > deadline:
                raise RuntimeFault(
                    f"not drained within half an hour: {', '.join(open_ends)}. Nothing is destroyed. See "
                    "docs/runbooks/landing-behind.md and docs/runbooks/check-queue-late.md, then run it again"
                )
            self.say(f"waiting for {', '.join(open_ends)}")
            self.sleep(POLL_S)

    def open_ends(self) -> list[str]:
        """What is still on its way, in words."""
        hosts = self._hosts()
        found = [f"{hosts} gRPC hosts to stop"] if hosts else []
        for entity in load_entities().values():
            lag = self._lag(entity.topic)
            if lag is None and entity.delivery == "stream" and entity.name not in self.forget:
                found.append(
                    f"a measured lag of {entity.name} (--forget {entity.name}, if it never had an event)"
                )
            elif lag:
                found.append(f"{lag:,.0f} records of {entity.name} to land")
        queues = (self.names.check_queue, self.names.check_dead_letters, self.names.rule_dead_letters)
        waiting = {queue: self._messages(queue) for queue in queues}
        return found + [f"{number} messages in {queue}" for queue, number in waiting.items() if number]

    def _hosts(self) -> int:
        groups = self.autoscaling.describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.names.ingest_hosts]
        )
        return sum(len(group["Instances"]) for group in groups["AutoScalingGroups"])

    def _lag(self, topic: str) -> float | None:
        """Records behind, by the newest measurement of the last five minutes; None without one."""
        end = self.now()
        measured = self.cloudwatch.get_metric_statistics(
            Namespace="AWS/Kafka",
            MetricName="SumOffsetLag",
            Dimensions=[
                {"Name": "Cluster Name", "Value": self.names.cluster},
                {"Name": "Consumer Group", "Value": self.names.landing_group(self.by)},
                {"Name": "Topic", "Value": topic},
            ],
            StartTime=end - _LAG_WINDOW,
            EndTime=end,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        newest = max(measured, key=lambda point: point["Timestamp"], default=None)
        return None if newest is None else float(newest["Maximum"])

    def _messages(self, queue: str) -> int:
        wanted = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        return sum(int(counts[name]) for name in wanted)
