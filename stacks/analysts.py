"""The role of people who read: Gold, and Silver without personal data, through Athena alone."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam

from stacks.base import NexusStack, give, statement
from stacks.storage import StorageStack

# S3 answers this role only when Athena asks for it, with the table's columns: not the file with all of them.
_THROUGH_ATHENA = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["athena.amazonaws.com"]}}
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
_RESULTS = "analysts/"


def add_analysts_role(stack: NexusStack, storage: StorageStack) -> iam.Role:
    """For whoever of the account may assume it. Making no tables, it can name no column that they leave out."""
    names = stack.names
    role = iam.Role(
        stack,
        "AnalystsRole",
        role_name=names.of("analysts"),
        assumed_by=iam.AccountPrincipal(stack.account),
        description="Reads Gold, and Silver without personal data, through Athena",
        max_session_duration=Duration.hours(8),
    )
    give(role, [statement("Ask", ASK, [workgroup_arn(stack, "analysts")])])
    tables = statement("ReadTables", READ_TABLES, table_arns(stack, "gold", "shared"))
    give(role, [tables], "All tables of two databases; models make new ones.")
    for layer in ("gold", "silver"):
        title, bucket = layer.capitalize(), storage.arn(layer)
        listing = ["s3:GetBucketLocation", "s3:ListBucket"]
        give(role, [statement(f"Read{title}", ["s3:GetObject"], [f"{bucket}/*"], _THROUGH_ATHENA)])
        give(role, [statement(f"List{title}", listing, [bucket], _THROUGH_ATHENA)])
    give(role, storage.may_list("athena-results"))
    give(role, storage.may_read("athena-results", _RESULTS))
    give(role, storage.may_write("athena-results", _RESULTS))
    return role


def workgroup_arn(stack: NexusStack, who: str) -> str:
    """ARN of a workgroup."""
    place = f"arn:aws:athena:{stack.settings.region}:{stack.settings.account}"
    return f"{place}:workgroup/{stack.names.workgroup(who)}"


def table_arns(stack: NexusStack, *layers: str) -> list[str]:
    """The catalog, databases and tables of layers, as Glue wants all three; Athena looks at `default` as well."""
    place = f"arn:aws:glue:{stack.settings.region}:{stack.settings.account}"
    databases = [stack.names.database(layer) for layer in layers]
    return [
        f"{place}:catalog",
        f"{place}:database/default",
        *(f"{place}:database/{database}" for database in databases),
        *(f"{place}:table/{database}/*" for database in databases),
    ]
