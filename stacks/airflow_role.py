"""What MWAA needs for itself, and what the DAGs do: load files, build Gold on Athena, claim objects in the ledger."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from stacks.base import NexusStack, give, statement
from stacks.catalog import CatalogStack
from stacks.database import DatabaseStack
from stacks.storage import StorageStack

_AS_DOCUMENTED = (
    "As MWAA documents its execution role: its queue lies in an account of AWS, its log groups share a prefix, and "
    "some actions know no resource."
)
_TABLES = "dbt makes and drops tables of Gold, and reads all of Silver."
_SCHEMAS = "All schemas of the registry; a version is asked for by its id, which names no schema."


def add_airflow_role(
    stack: NexusStack, *, storage: StorageStack, catalog: CatalogStack, database: DatabaseStack
) -> iam.Role:
    """One role for scheduler, workers and tasks: MWAA knows no other."""
    place = f"{stack.region}:{stack.account}"
    environment = f"arn:aws:airflow:{place}:environment/{stack.names.airflow}"
    role = iam.Role(
        stack,
        "AirflowRole",
        assumed_by=iam.PrincipalWithConditions(
            iam.CompositePrincipal(
                iam.ServicePrincipal("airflow.amazonaws.com"),
                iam.ServicePrincipal("airflow-env.amazonaws.com"),
            ),
            {
                "StringEquals": {"aws:SourceAccount": stack.account},
                "ArnLike": {"aws:SourceArn": environment},
            },
        ),
        description=f"What Airflow and its DAGs may do in {stack.settings.environment}",
    )
    give(role, _runs_itself(stack, storage, environment), _AS_DOCUMENTED)
    give(role, [*catalog.may_ask("pipeline", "silver", "gold"), *_builds_gold(stack, storage)], _TABLES)
    give(role, [*_loads_files(storage), database.may_connect("airflow")])
    give(role, catalog.may_resolve_schemas(), _SCHEMAS)
    return role


def let_logs_use_key(key: kms.IKey, stack: NexusStack) -> None:
    """CloudWatch encrypts Airflow's log groups with the lake's key, and nothing else."""
    groups = f"arn:aws:logs:{stack.region}:{stack.account}:log-group:airflow-{stack.names.airflow}-*"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AirflowLogs",
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
            resources=["*"],  # in a key's policy: this key
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    )


def _runs_itself(stack: NexusStack, storage: StorageStack, environment: str) -> list[iam.PolicyStatement]:
    """As MWAA documents its execution role, action by action."""
    place = f"{stack.region}:{stack.account}"
    artifacts = storage.arn("artifacts")
    key_through = {
        "StringLike": {
            "kms:ViaService": [f"{service}.{stack.region}.amazonaws.com" for service in ("sqs", "s3")]
        }
    }
    return [
        statement("PublishHealth", ["airflow:PublishMetrics"], [environment]),
        statement(
            "ReadArtifacts",
            ["s3:GetObject", "s3:GetObjectVersion"],
            [f"{artifacts}/airflow/*"],
        ),
        statement(
            "LookAtArtifacts",
            [
                "s3:GetBucketLocation",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketVersioning",
                "s3:GetEncryptionConfiguration",
                "s3:ListBucket",
                "s3:ListBucketVersions",
            ],
            [artifacts],
        ),
        statement("LookAtAccount", ["logs:DescribeLogGroups", "s3:GetAccountPublicAccessBlock"], ["*"]),
        statement(
            "WriteOwnLogs",
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:GetLogEvents",
                "logs:GetLogGroupFields",
                "logs:GetLogRecord",
                "logs:GetQueryResults",
                "logs:PutLogEvents",
            ],
            [f"arn:aws:logs:{place}:log-group:airflow-{stack.names.airflow}-*"],
        ),
        statement(
            "PublishMetrics",
            ["cloudwatch:PutMetricData"],
            ["*"],
            {"StringEquals": {"cloudwatch:namespace": ["AmazonMWAA", stack.names.metrics_namespace]}},
        ),
        statement(
            "UseOwnQueue",
            [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
                "sqs:SendMessage",
            ],
            [f"arn:aws:sqs:{stack.region}:*:airflow-celery-*"],
        ),
        statement(
            "UseLakeKey",
            ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
            [storage.lake_key.key_arn],
            key_through,
        ),
    ]


def _builds_gold(stack: NexusStack, storage: StorageStack) -> list[iam.PolicyStatement]:
    """dbt on Athena: reads Silver, writes Gold, in the pipeline's workgroup."""
    names = stack.names
    glue = f"arn:aws:glue:{stack.region}:{stack.account}"
    gold = [f"{glue}:database/{names.database('gold')}", f"{glue}:table/{names.database('gold')}/*"]
    results = "pipeline/"
    return [
        statement(
            "WriteGoldTables",
            [
                "glue:BatchCreatePartition",
                "glue:BatchDeletePartition",
                "glue:BatchDeleteTableVersion",
                "glue:CreateTable",
                "glue:DeleteTable",
                "glue:GetTableVersions",
                "glue:UpdatePartition",
                "glue:UpdateTable",
            ],
            [f"{glue}:catalog", *gold],
        ),
        *storage.may_list("silver"),
        *storage.may_read("silver"),
        *storage.may_list("gold"),
        *storage.may_read("gold"),
        *storage.may_write("gold"),
        *storage.may_delete("gold"),
        *storage.may_list("athena-results"),
        *storage.may_read("athena-results", results),
        *storage.may_write("athena-results", results),
    ]


def _loads_files(storage: StorageStack) -> list[iam.PolicyStatement]:
    """Batch loads: a delivered file becomes Bronze objects behind a manifest."""
    return [
        *storage.may_list("landing"),
        *storage.may_read("landing"),
        *storage.may_list("bronze"),
        *storage.may_read("bronze"),
        *storage.may_write("bronze"),
    ]
