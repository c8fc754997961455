"""Athena: a workgroup per kind of user, each with its own limit, and statements that people ask for again and again."""

from aws_cdk import aws_athena as athena

from lakehouse.catalog import load_entities
from stacks.base import NexusStack
from stacks.storage import StorageStack

_GIB = 2**30
# 1 PiB: a statement of the pipeline may be a merge, and a limit would stop it midway. What it reads is alarmed on.
PIPELINE_BYTES = 2**50
INSIGHTS = ("insight_customer_segmentation", "insight_monthly_growth", "insight_regional_logistics")

_MEANINGS = {
    "pipeline": "What the pipeline itself runs: models, merges, reconciliation",
    "analysts": "People who read Gold and Silver without personal data",
    "audit": "Checks of the lake against the ledger, and people who look into Quarantine",
}


def add_workgroups(stack: NexusStack, storage: StorageStack) -> dict[str, athena.CfnWorkGroup]:
    """By who uses them. Nobody can have answers elsewhere, unencrypted, or beyond the limit."""
    limits = stack.settings.catalog
    scans = {
        "pipeline": PIPELINE_BYTES,
        "analysts": limits.analysts_scan_gib * _GIB,
        "audit": limits.audit_scan_gib * _GIB,
    }
    return {who: _workgroup(stack, storage, who, most) for who, most in scans.items()}


def _workgroup(stack: NexusStack, storage: StorageStack, who: str, most_bytes: int) -> athena.CfnWorkGroup:
    return athena.CfnWorkGroup(
        stack,
        f"{who.capitalize()}Workgroup",
        name=stack.names.workgroup(who),
        description=_MEANINGS[who],
        state="ENABLED",
        recursive_delete_option=stack.settings.destroys,
        work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
            enforce_work_group_configuration=True,
            publish_cloud_watch_metrics_enabled=True,
            bytes_scanned_cutoff_per_query=most_bytes,
            engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                selected_engine_version="Athena engine version 3"
            ),
            result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                output_location=f"s3://{stack.names.athena_results_bucket}/{who}/",
                expected_bucket_owner=stack.account,
                encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                    encryption_option="SSE_KMS", kms_key=storage.lake_key.key_arn
                ),
            ),
        ),
    )


def add_named_queries(stack: NexusStack, workgroups: dict[str, athena.CfnWorkGroup]) -> None:
    """Yesterday's Quarantine for the auditors, the insights for the analysts."""
    names = stack.names
    quarantine = names.database("quarantine")
    queries = [
        (
            "QuarantineOfYesterday",
            "audit",
            "quarantine",
            yesterday_by_rule(quarantine),
            "Rows by entity and rule",
        ),
        (
            "QuarantineByDay",
            "audit",
            "quarantine",
            month_by_day(quarantine),
            "Rows of 30 days by day, source and rule",
        ),
        ("QuarantinedRows", "audit", "quarantine", yesterday_rows(quarantine), "Rows with their reasons"),
    ]
    for insight in INSIGHTS:
        title = "".join(part.capitalize() for part in insight.split("_"))
        text = f'select *\nfrom "{names.database("gold")}"."{insight}"\n'
        queries.append((title, "analysts", "gold", text, f"The insight {insight.removeprefix('insight_')}"))
    for title, who, layer, text, meaning in queries:
        query = athena.CfnNamedQuery(
            stack,
            title,
            name=names.of(title),
            description=meaning,
            database=names.database(layer),
            query_string=text,
            work_group=names.workgroup(who),
        )
        query.add_resource_dependency(workgroups[who])


def yesterday_by_rule(database: str) -> str:
    """How many rows each rule sent to Quarantine yesterday; a row that broke several counts for each."""
    parts = [
        f"select '{name}' as entity, reason.rule, count(*) as rows\n"
        f'from "{database}"."{name}" cross join unnest(reasons) as broken (reason)\n'
        f"where {_YESTERDAY}\ngroup by 2"
        for name in load_entities()
    ]
    return "\nunion all\n".join(parts) + "\norder by rows desc\n"


def month_by_day(database: str) -> str:
    """How many rows of each source each rule sent to Quarantine on each of the last 30 days, newest first."""
    parts = [
        f"select date(first_seen) as day, '{name}' as entity, source, reason.rule, count(*) as rows\n"
        f'from "{database}"."{name}" cross join unnest(reasons) as broken (reason)\n'
        f"where {_LATELY}\ngroup by 1, 3, 4"
        for name in load_entities()
    ]
    return "\nunion all\n".join(parts) + "\norder by day desc, rows desc\n"


def yesterday_rows(database: str) -> str:
    """The newest rows that went to Quarantine yesterday."""
    columns = "event_id, source, pos_log, pos_partition, pos_offset, reasons, bronze_key, bronze_row"
    parts = [
        f'select \'{name}\' as entity, {columns}\nfrom "{database}"."{name}"\nwhere {_YESTERDAY}'
        for name in load_entities()
    ]
    return "\nunion all\n".join(parts) + "\nlimit 1000\n"


_DAY = "current_date - interval '1' day"
# Rows are of the day on which the first of their object arrived, or a little later. Years as such, for Athena prunes by
# plain comparisons; days as text, for not every day of the projection is in the calendar.
_FIRST = "current_date - interval '31' day"
_LATELY = (
    f"year in (date_format({_FIRST}, '%Y'), date_format(current_date, '%Y')) "
    f"and year || '-' || month || '-' || day >= date_format({_FIRST}, '%Y-%m-%d')"
)
_YESTERDAY = " and ".join(
    f"{column} = date_format({_DAY}, '{form}')"
    for column, form in (("year", "%Y"), ("month", "%m"), ("day", "%d"))
)
