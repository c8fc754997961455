"""Every physical name that more than one stack, a process or a person needs. Lengths are within what AWS takes.

What nobody names has a name by CloudFormation: only that can be replaced without being in its own way.
"""

from dataclasses import dataclass

from lakehouse.paths import Buckets

PRODUCT = "nexus"
# entity tables and their partitions lie under these Glue databases; `shared` is what analysts see of Silver
DATABASES = ("bronze", "silver", "quarantine", "gold", "shared")
WORKGROUPS = ("pipeline", "analysts", "audit")
EXTRA_BUCKETS = ("artifacts", "athena-results", "logs")


@dataclass(frozen=True)
class Names:
    """Names of one environment; several environments may share an account and a region."""

    environment: str
    bucket_prefix: str

    def of(self, thing: str) -> str:
        """`nexus-<environment>-<thing>`: stacks, queues, functions, alarms, roles and all else that takes dashes."""
        return f"{PRODUCT}-{self.environment}-{thing}"

    def stack(self, name: str) -> str:
        """Name of a stack in CloudFormation, from its class's subject: network, storage, ..."""
        return self.of(name)

    @property
    def buckets(self) -> Buckets:
        """The lake's five buckets."""
        return Buckets.of(self.bucket_prefix)

    @property
    def artifacts_bucket(self) -> str:
        """Bucket of what hosts and MWAA install."""
        return f"{self.bucket_prefix}-artifacts"

    @property
    def athena_results_bucket(self) -> str:
        """Bucket of Athena's answers, a prefix per workgroup."""
        return f"{self.bucket_prefix}-athena-results"

    @property
    def logs_bucket(self) -> str:
        """Bucket of access logs."""
        return f"{self.bucket_prefix}-logs"

    def database(self, layer: str) -> str:
        """Glue database of a layer; `shared` holds what analysts see of Silver."""
        return f"{PRODUCT}_{self.environment}_{layer}"

    def workgroup(self, who: str) -> str:
        """Athena workgroup of pipeline, analysts or audit."""
        return self.of(who)

    @property
    def registry(self) -> str:
        """Glue schema registry (NEXUS_REGISTRY)."""
        return f"keystone-nexus-{self.environment}"

    @property
    def cluster(self) -> str:
        """MSK cluster."""
        return self.of("kafka")

    @property
    def consumer_group(self) -> str:
        """Kafka consumer group of whoever writes Bronze by `bronze_writer`."""
        return "nexus-bronze-writer"

    def landing_group(self, by: str) -> str:
        """Kafka consumer group of whoever lands, `writer` or `connect`; Kafka Connect names its own."""
        return self.consumer_group if by == "writer" else f"connect-{self.connector}"

    @property
    def cluster_logs(self) -> str:
        """Log group of the brokers. AWS lets its services write below this path without a policy of ours."""
        return f"/aws/vendedlogs/{self.cluster}"

    @property
    def connector_logs(self) -> str:
        """Log group of the sink connector's workers, where it tells of itself."""
        return f"/aws/vendedlogs/{self.connector}"

    def host_logs(self, service: str) -> str:
        """Log group of a service on EC2: ingest, writer."""
        return f"/{self.of(service)}"

    @property
    def check_alias(self) -> str:
        """Alias of the check function that the queue feeds."""
        return "live"

    @property
    def ledger_instance(self) -> str:
        """RDS instance of the ledger."""
        return self.of("ledger")

    @property
    def ledger_proxy(self) -> str:
        """RDS Proxy in front of it, where there is one."""
        return self.of("ledger-proxy")

    def function(self, package: str) -> str:
        """Lambda function of a package in `lambdas/`."""
        return self.of(package.replace("_", "-"))

    def function_logs(self, package: str) -> str:
        """Log group of that function."""
        return f"/aws/lambda/{self.function(package)}"

    @property
    def check_queue(self) -> str:
        """Queue of Bronze announcements."""
        return self.of("check-rows")

    @property
    def check_dead_letters(self) -> str:
        """Announcements that failed too often."""
        return self.of("check-rows-dead")

    @property
    def rule_dead_letters(self) -> str:
        """Events that EventBridge could not deliver to the check queue."""
        return self.of("bronze-events-dead")

    @property
    def ingest_hosts(self) -> str:
        """Auto scaling group of the gRPC hosts."""
        return self.of("ingest")

    @property
    def writer_hosts(self) -> str:
        """Auto scaling group of the Bronze writer."""
        return self.of("writer")

    @property
    def connector(self) -> str:
        """MSK Connect connector."""
        return self.of("bronze-sink")

    @property
    def airflow(self) -> str:
        """MWAA environment."""
        return self.of("airflow")

    @property
    def alarm_topic(self) -> str:
        """SNS topic that alarms go to."""
        return self.of("alarms")

    @property
    def metrics_namespace(self) -> str:
        """CloudWatch namespace of what our own processes count (as in the handlers)."""
        return "KeystoneNexus"
