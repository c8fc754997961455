"""Glue tables over the lake's Parquet files, from the contracts. Partitions are computed, not crawled or added."""

from collections.abc import Sequence

from aws_cdk import aws_glue as glue

from lakehouse.catalog import Entity
from lakehouse.compilers.glue import PARTITION_COLUMNS, glue_columns
from stacks.base import NexusStack

# Shops' files may be dated back to their first year; Athena asks S3 for every day that a statement does not rule out.
YEARS = "2016,2049"
_PROJECTION = {
    "projection.enabled": "true",
    "projection.year.type": "integer",
    "projection.year.range": YEARS,
    "projection.month.type": "integer",
    "projection.month.range": "1,12",
    "projection.month.digits": "2",
    "projection.day.type": "integer",
    "projection.day.range": "1,31",
    "projection.day.digits": "2",
}
_DAY = "year=${year}/month=${month}/day=${day}/"
_HIVE = "org.apache.hadoop.hive.ql.io.parquet"
_COMMENT = 255  # characters that Glue takes

LAYERS = {
    "bronze": "Records of {entity} as they came",
    "silver": "Rows of {entity} that passed every rule, with real types",
    "quarantine": "Rows of {entity} that did not pass, with all reasons",
    "shared": "Silver of {entity} without the columns that its contract marks as personal",
}


def add_tables(stack: NexusStack, entity: Entity, databases: dict[str, glue.CfnDatabase]) -> None:
    """The entity's table in each layer.

    `shared` is a second table over Silver's files that knows fewer columns. An Athena view would hide nothing: it runs
    with the rights of whoever asks. A role that may read these tables alone, and make none, cannot name what they leave
    out.
    """
    columns = glue_columns(entity)
    personal = {column.name for column in entity.fields if column.personal}
    columns["shared"] = [(name, kind) for name, kind in columns["silver"] if name not in personal]
    for layer, meaning in LAYERS.items():
        table = glue.CfnTable(
            stack,
            f"{layer.capitalize()}{entity.message}",
            catalog_id=stack.account,
            database_name=stack.names.database(layer),
            table_input=_table(entity, columns[layer], place_of(stack, layer, entity), meaning),
        )
        table.add_resource_dependency(databases[layer])


def place_of(stack: NexusStack, layer: str, entity: Entity) -> str:
    """Where the entity's files of a layer lie, with a slash at the end; Bronze has no version in its path."""
    buckets = stack.names.buckets
    if layer == "bronze":
        return f"s3://{buckets.bronze}/{entity.name}/"
    bucket = buckets.quarantine if layer == "quarantine" else buckets.silver
    return f"s3://{bucket}/{entity.name}/v{entity.major}/"


def _table(
    entity: Entity, columns: Sequence[tuple[str, str]], place: str, meaning: str
) -> glue.CfnTable.TableInputProperty:
    comments = {column.name: column.description[:_COMMENT] for column in entity.fields}
    return glue.CfnTable.TableInputProperty(
        name=entity.name,
        description=f"{meaning.format(entity=entity.name)}. {entity.description}",
        table_type="EXTERNAL_TABLE",
        parameters={
            "EXTERNAL": "TRUE",
            "classification": "parquet",
            "contract_version": entity.version,
            "storage.location.template": place + _DAY,
            **_PROJECTION,
        },
        partition_keys=[
            glue.CfnTable.ColumnProperty(name=name, type=kind, comment="of the day it arrived, UTC")
            for name, kind in PARTITION_COLUMNS
        ],
        storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
            columns=[
                glue.CfnTable.ColumnProperty(name=name, type=kind, comment=comments.get(name))
                for name, kind in columns
            ],
            location=place,
            input_format=f"{_HIVE}.MapredParquetInputFormat",
            output_format=f"{_HIVE}.MapredParquetOutputFormat",
            serde_info=glue.CfnTable.SerdeInfoProperty(
                serialization_library=f"{_HIVE}.serde.ParquetHiveSerDe"
            ),
        ),
    )
