"""The check hop: announced Bronze objects reach a function by EventBridge and a queue; a sweep finds the forgotten.

What went to Quarantine is judged once more when a person asks for it (`stacks/requeue.py`).
"""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.assets import Assets
from stacks.base import NexusStack, acknowledge, statement
from stacks.careful_deployment import deploy_carefully
from stacks.database import DatabaseStack
from stacks.functions import FunctionSpec, Place, add_function
from stacks.ledger_capacity import require_connections
from stacks.metrics import Metrics
from stacks.network import NetworkStack
from stacks.requeue import add_requeue
from stacks.settings import Settings
from stacks.storage import StorageStack

# The longest that SQS keeps a message: what fails over a long weekend is still there on Tuesday.
_KEPT = Duration.days(14)
# An object of 128 MiB takes half a minute on one vCPU.
_CHECK = Duration.minutes(5)
# The most without a waiting window. The ledger is asked twice for a batch, and what it has no time for goes back.
_BATCH = 10
# Until then a message that was taken is nobody else's; AWS asks for six times the function's own time.
_HIDDEN = Duration.minutes(30)
# The function gives an object up after three failed attempts, and needs two receives more to say so.
_RECEIVES = 5
_SWEEP = Duration.minutes(15)  # over an empty ledger it lists the whole of Bronze; no function runs longer


class ProcessingStack(NexusStack):
    """Everything that happens between an object in Bronze and its rows in Silver and Quarantine."""

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        assets: Assets,
        *,
        network: NetworkStack,
        storage: StorageStack,
        database: DatabaseStack,
    ) -> None:
        super().__init__(
            scope, settings, "processing", "the check of Bronze objects and the sweep for forgotten ones"
        )
        require_connections(settings)
        self._assets, self._storage, self._database = assets, storage, database
        self._place = Place(network.vpc, network.groups.functions)
        self.queue = self._add_queue()
        self._add_rule()
        self._add_check()
        self._add_sweep()
        add_requeue(
            self,
            assets,
            storage=storage,
            database=database,
            place=self._place,
            memory_mib=settings.processing.memory_mib,
            environment=self._environment("requeue_quarantine"),
        )
        self.add_output(
            "CheckQueueUrl", self.queue.queue_url, "Announcements of Bronze objects that wait to be checked"
        )

    def _add_queue(self) -> sqs.Queue:
        dead = self._dead_letters("CheckDeadLetters", self.names.check_dead_letters)
        return sqs.Queue(
            self,
            "CheckQueue",
            queue_name=self.names.check_queue,
            visibility_timeout=_HIDDEN,
            retention_period=_KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=_RECEIVES),
        )

    def _dead_letters(self, id_: str, name: str) -> sqs.Queue:
        return sqs.Queue(
            self,
            id_,
            queue_name=name,
            retention_period=_KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )

    def _add_rule(self) -> None:
        rule = events.Rule(
            self,
            "BronzeObjects",
            rule_name=self.names.of("bronze-objects"),
            description="Announces new data objects of Bronze to the check queue",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [self.names.buckets.bronze]},
                    "object": {"key": [{"suffix": ".parquet"}]},  # not definitions, manifests or closed logs
                },
            ),
        )
        undelivered = self._dead_letters("UndeliveredEvents", self.names.rule_dead_letters)
        acknowledge(undelivered, "AwsSolutions-SQS3", "It holds dead letters itself; an alarm watches it.")
        # EventBridge's own most: a day of attempts, then the letter is dead
        rule.add_target(
            targets.SqsQueue(
                self.queue,
                dead_letter_queue=undelivered,
                max_event_age=Duration.hours(24),
                retry_attempts=185,
            )
        )

    def _add_check(self) -> None:
        processing = self.settings.processing
        spec = FunctionSpec(
            package="check_rows",
            description="Checks each new Bronze object and writes its rows to Silver or Quarantine",
            timeout=_CHECK,
            memory_mib=processing.memory_mib,
            environment={
                **self._environment("check_rows"),
                "NEXUS_BUCKET_OWNER": self.account,  # S3 refuses buckets that another account made by these names
                "NEXUS_WHOLE_OBJECT_BYTES": str(processing.whole_object_mib * 2**20),
            },
            may=[
                *self._storage.may_list("bronze"),
                *self._storage.may_read("bronze"),
                *self._storage.may_write("silver"),
                *self._storage.may_write("quarantine"),
                self._database.may_connect("check_rows"),
                self._may_receive(),
            ],
            place=self._place,
        )
        function = add_function(self, "CheckRows", spec, self._assets)
        alias = lambda_.Alias(
            self,
            "CheckRowsLive",
            alias_name=self.names.check_alias,
            version=function.current_version,
            description="The version that the queue feeds; a deployment moves it, and moves it back on an alarm",
        )
        failed = Metrics(self.names).own("check_rows", "MessagesFailed")
        deploy_carefully(self, "CheckRows", alias, failed)
        alias.add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=_BATCH,
                report_batch_item_failures=True,
                max_concurrency=processing.concurrency,
            )
        )

    def _add_sweep(self) -> None:
        spec = FunctionSpec(
            package="sweep_bronze",
            description="Compares Bronze with the ledger, announces what is not checked, removes abandoned outputs",
            timeout=_SWEEP,
            memory_mib=1024,
            environment={**self._environment("sweep_bronze"), "NEXUS_CHECK_QUEUE_URL": self.queue.queue_url},
            may=[
                *self._storage.may_list("bronze"),
                *self._storage.may_read("bronze"),  # manifests of loads
                *self._storage.may_delete("silver"),
                *self._storage.may_delete("quarantine"),
                self._database.may_connect("sweep_bronze"),
                statement(
                    "AnnounceAgain", ["sqs:GetQueueAttributes", "sqs:SendMessage"], [self.queue.queue_arn]
                ),
            ],
            place=self._place,
        )
        function = add_function(self, "SweepBronze", spec, self._assets)
        events.Rule(
            self,
            "SweepSchedule",
            rule_name=self.names.of("sweep-bronze"),
            description="Starts the sweep; what one misses, the next finds",
            schedule=events.Schedule.rate(Duration.minutes(15)),
            targets=[targets.LambdaFunction(function, retry_attempts=0)],
        )

    def _environment(self, user: str) -> dict[str, str]:
        return {
            "NEXUS_BUCKET_PREFIX": self.settings.bucket_prefix,
            "NEXUS_LEDGER_URL": self._database.ledger_url(user),
        }

    def _may_receive(self) -> iam.PolicyStatement:
        actions = [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ReceiveMessage",
        ]
        return statement("TakeAnnouncements", actions, [self.queue.queue_arn])
