"""Who may do what: the most that each role may have, by resource. Whatever is not here is a finding, and so is what no
role uses any more.

Resources are as `local.stack_docs.plain` says them; `*` at the end of one stands for anything.
"""

from collections.abc import Iterable, Mapping

Grants = Mapping[str, frozenset[str]]  # by resource

LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
NETWORK = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
SYSTEMS_MANAGER = (
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ssm:DescribeAssociation",
    "ssm:DescribeDocument",
    "ssm:GetDocument",
    "ssm:GetManifest",
    "ssm:ListAssociations",
    "ssm:ListInstanceAssociations",
    "ssm:PutConfigurePackageResult",
    "ssm:UpdateAssociationStatus",
    "ssm:UpdateInstanceAssociationStatus",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
ASK = (
    "athena:BatchGetNamedQuery",
    "athena:BatchGetQueryExecution",
    "athena:GetNamedQuery",
    "athena:GetQueryExecution",
    "athena:GetQueryResults",
    "athena:GetWorkGroup",
    "athena:ListNamedQueries",
    "athena:ListQueryExecutions",
    "athena:StartQueryExecution",
    "athena:StopQueryExecution",
)
READ_TABLES = (
    "glue:BatchGetPartition",
    "glue:GetDatabase",
    "glue:GetDatabases",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
)
WRITE_TABLES = (
    "glue:BatchCreatePartition",
    "glue:BatchDeletePartition",
    "glue:BatchDeleteTableVersion",
    "glue:CreateTable",
    "glue:DeleteTable",
    "glue:GetTableVersions",
    "glue:UpdatePartition",
    "glue:UpdateTable",
)
RECEIVE = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
)
_READ, _PUT = ("s3:GetObject",), ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject")
_ERASE = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion")
_GLUE = "glue:<region>:<account>:"
_KAFKA, _CLUSTER = "kafka:<region>:<account>:", "nexus-kafka/nexus-streaming/BrokerAddressesIncarnation"
_ANY_CLUSTER = "nexus-kafka/*"  # of this name: its id is not known where a name ends in a wildcard
_TOPICS = f"{_KAFKA}topic/{_CLUSTER}/*.v1"


def on(resource: str, *actions: str) -> Grants:
    return {resource: frozenset(actions)}


def all_of(*grants: Grants) -> Grants:
    found: dict[str, frozenset[str]] = {}
    for grant in grants:
        for resource, actions in grant.items():
            found[resource] = found.get(resource, frozenset()) | actions
    return found


def lake(*layers: str, lists: bool = True, actions: Iterable[str] = _READ) -> Grants:
    """Objects of layers (or of `layer/prefix`), and their buckets' lists."""
    objects = [on(f"s3:::<prefix>-{layer}/*", *actions) for layer in layers]
    listed = [
        on(f"s3:::<prefix>-{layer.partition('/')[0]}", "s3:GetBucketLocation", "s3:ListBucket")
        for layer in layers
    ]
    return all_of(*objects, *(listed if lists else ()))


def key(*actions: str, of: str = "nexus-storage/LakeKey") -> Grants:
    return on(of, *(f"kms:{action}" for action in actions))


def tables(*databases: str) -> Grants:
    places = [
        f"{_GLUE}{kind}" for name in databases for kind in (f"database/nexus_{name}", f"table/nexus_{name}/*")
    ]
    return all_of(
        *(on(place, *READ_TABLES) for place in (f"{_GLUE}catalog", f"{_GLUE}database/default", *places))
    )


def workgroup(who: str) -> Grants:
    return on(f"athena:<region>:<account>:workgroup/nexus-{who}", *ASK)


def ledger(user: str) -> Grants:
    return on(f"rds-db:<region>:<account>:dbuser:nexus-database/*/{user}", "rds-db:connect")


SCHEMAS = all_of(
    on("*", "glue:GetSchemaVersion"),
    on(f"{_GLUE}registry/keystone-nexus", "glue:GetSchemaByDefinition"),
    on(f"{_GLUE}schema/keystone-nexus/*", "glue:GetSchemaByDefinition"),
)
HOST = all_of(
    on("*", "cloudwatch:PutMetricData", *SYSTEMS_MANAGER),
    on("cloudformation:<region>:<account>:stack/nexus-ingest/*", "cloudformation:SignalResource"),
    on("s3:::<asset>", "s3:GetObject"),
)

ALLOWED: Mapping[str, Grants] = {
    "storage ErasureRole": all_of(
        key("Decrypt", "GenerateDataKey", of="LakeKey"),
        lake("bronze", "silver", "quarantine", actions=(*_READ, *_PUT, *_ERASE)),
    ),
    "network FlowLogsRole": on("FlowLogs", *LOGS, "logs:DescribeLogStreams"),
    "database MigrateLedgerRole": all_of(
        on("*", *NETWORK),
        on("MigrateLedgerLogs", *LOGS),
        on("Ledger.MasterUserSecret.SecretArn", "secretsmanager:GetSecretValue"),
        key("Decrypt", of="LedgerKey"),
    ),
    "database ProxyRole": on("rds-db:<region>:<account>:dbuser:Ledger.DbiResourceId/*", "rds-db:connect"),
    "catalog CheckSchemasRole": all_of(on("CheckSchemasLogs", *LOGS), on("*", "glue:GetSchemaVersion")),
    "catalog AnalystsRole": all_of(
        workgroup("analysts"),
        tables("gold", "shared"),
        lake("gold", "silver"),
        lake("athena-results/analysts", actions=(*_READ, *_PUT)),
        key("Decrypt", "GenerateDataKey"),
    ),
    "streaming FindBrokersRole": all_of(
        on("FindBrokersLogs", *LOGS), on("Cluster", "kafka:GetBootstrapBrokers")
    ),
    "streaming GuardChangeRole": all_of(
        on("GuardChangeLogs", *LOGS),
        on("cloudformation:<region>:<account>:stack/nexus-*", "cloudformation:DescribeStacks"),
    ),
    "processing CheckRowsRole": all_of(
        on("*", *NETWORK),
        on("CheckRowsLogs", *LOGS),
        on("CheckQueue", *RECEIVE),
        ledger("check_rows"),
        lake("bronze"),
        lake("silver", "quarantine", lists=False, actions=_PUT),
        key("Decrypt", "GenerateDataKey"),
    ),
    "processing CheckRowsDeployer": all_of(
        on("*", "cloudwatch:DescribeAlarms"),
        *(
            on(what, "lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias")
            for what in ("CheckRows", "CheckRowsLive")
        ),
    ),
    "processing SweepBronzeRole": all_of(
        on("*", *NETWORK),
        on("SweepBronzeLogs", *LOGS),
        on("CheckQueue", "sqs:GetQueueAttributes", "sqs:SendMessage"),
        ledger("sweep_bronze"),
        lake("bronze"),
        lake("silver", "quarantine", lists=False, actions=("s3:DeleteObject",)),
        key("Decrypt"),
    ),
    "processing RequeueQuarantineRole": all_of(
        on("*", *NETWORK),
        on("RequeueQuarantineLogs", *LOGS),
        ledger("requeue_quarantine"),
        lake("bronze", "quarantine"),
        lake("silver", "quarantine", lists=False, actions=_PUT),
        key("Decrypt", "GenerateDataKey"),
    ),
    "ingest IngestRole": all_of(
        HOST,
        SCHEMAS,
        on("IngestLogs", *LOGS, "logs:DescribeLogStreams"),
        on("nexus-streaming/Cluster", "kafka-cluster:Connect", "kafka-cluster:WriteDataIdempotently"),
        on(_TOPICS, "kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"),
    ),
    "ingest WriterRole": all_of(
        HOST,
        SCHEMAS,
        on("WriterLogs", *LOGS, "logs:DescribeLogStreams"),
        on("nexus-streaming/Cluster", "kafka-cluster:Connect"),
        on(_TOPICS, "kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"),
        on(
            f"{_KAFKA}group/{_CLUSTER}/nexus-bronze-writer",
            "kafka-cluster:AlterGroup",
            "kafka-cluster:DescribeGroup",
        ),
        lake("bronze", actions=(*_READ, *_PUT)),
        key("Decrypt", "GenerateDataKey"),
    ),
    "canary CanaryRole": all_of(
        on("*", *NETWORK, "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"),
        on("CanaryLogs", *LOGS),
        SCHEMAS,
        ledger("canary"),
        lake("bronze", actions=()),
        lake("bronze/orders", "silver/orders", "quarantine/orders", lists=False),
        key("Decrypt"),
    ),
    "connect ConnectorRole": all_of(
        SCHEMAS,
        on("nexus-streaming/Cluster", "kafka-cluster:Connect", "kafka-cluster:DescribeCluster"),
        on(_TOPICS, "kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"),
        on(
            f"{_KAFKA}topic/{_ANY_CLUSTER}/__amazon_msk_connect_*",
            *(f"kafka-cluster:{a}" for a in ("CreateTopic", "DescribeTopic", "ReadData", "WriteData")),
        ),
        *(
            on(f"{_KAFKA}group/{group}", "kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup")
            for group in (
                f"{_ANY_CLUSTER}/__amazon_msk_connect_*",
                f"{_CLUSTER}/connect-nexus-bronze-sink",
                f"{_ANY_CLUSTER}/connect-nexus-bronze-sink*",
            )
        ),
        lake("bronze", actions=(*_READ, *_PUT)),
        key("Decrypt", "GenerateDataKey"),
    ),
    "orchestration PlaceFilesRole": all_of(
        on("PlaceFilesLogs", *LOGS),
        on("s3:::<asset>", "s3:GetObject"),
        lake("artifacts/airflow", actions=_PUT),
        lake("artifacts/airflow/dags", lists=False, actions=("s3:DeleteObject",)),
        key("Decrypt", "GenerateDataKey"),
    ),
    "orchestration AirflowRole": all_of(
        SCHEMAS,
        on("airflow:<region>:<account>:environment/nexus-airflow", "airflow:PublishMetrics"),
        on("*", "cloudwatch:PutMetricData", "logs:DescribeLogGroups", "s3:GetAccountPublicAccessBlock"),
        on(
            "logs:<region>:<account>:log-group:airflow-nexus-airflow-*",
            *(*LOGS, "logs:CreateLogGroup", "logs:GetLogEvents"),
            *("logs:GetLogGroupFields", "logs:GetLogRecord", "logs:GetQueryResults"),
        ),
        on("sqs:<region>:*:airflow-celery-*", *RECEIVE, "sqs:SendMessage"),
        on(
            "s3:::<prefix>-artifacts",
            *("s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning"),
            *("s3:GetEncryptionConfiguration", "s3:ListBucketVersions"),
        ),
        lake("artifacts/airflow", actions=("s3:GetObject", "s3:GetObjectVersion")),
        workgroup("pipeline"),
        tables("silver", "gold"),
        *(
            on(f"{_GLUE}{place}", *WRITE_TABLES)
            for place in ("catalog", "database/nexus_gold", "table/nexus_gold/*")
        ),
        lake("landing", "silver"),
        lake("bronze", "athena-results/pipeline", actions=(*_READ, *_PUT)),
        lake("gold", actions=(*_READ, *_PUT, "s3:DeleteObject")),
        ledger("airflow"),
        key("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"),
    ),
}
# Actions that know no resource, or none narrower: everything else names its own.
EVERYWHERE = {
    *("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:PutMetricData"),
    "glue:GetSchemaVersion",
    *("logs:DescribeLogGroups", "s3:GetAccountPublicAccessBlock"),
    *NETWORK,
    *SYSTEMS_MANAGER,
}
# Nobody of ours may: become somebody else, give rights, or take away what keeps the lake.
NEVER = (
    "iam:*",
    "sts:*",
    "kms:CreateGrant",
    "kms:DisableKey*",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "lambda:UpdateFunction*",
    "organizations:*",
    "rds:Delete*",
    "s3:DeleteBucket*",
    "s3:PutBucket*",
    "s3:PutLifecycle*",
    "secretsmanager:Put*",
)
