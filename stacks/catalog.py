"""What can be asked of the lake: databases and tables, the schema registry, Athena's workgroups, the readers' role."""

from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from constructs import Construct

from lakehouse.catalog import load_entities
from stacks.analysts import ASK, READ_TABLES, add_analysts_role, table_arns, workgroup_arn
from stacks.assets import Assets
from stacks.athena import add_named_queries, add_workgroups
from stacks.base import NexusStack, statement
from stacks.lake_tables import LAYERS, add_tables
from stacks.schema_registry import add_registry
from stacks.settings import Settings
from stacks.storage import StorageStack

_MEANINGS = {
    "bronze": "Every record as it came",
    "silver": "Rows that passed every rule, with real types",
    "quarantine": "Rows that did not pass, with all reasons",
    "gold": "Marts and insights",
    "shared": "Silver without personal data, for people who analyse",
}


class CatalogStack(NexusStack):
    """Databases, tables, workgroups and the registry are known by their names; here is what a role may do with them."""

    def __init__(
        self, scope: Construct, settings: Settings, assets: Assets, *, storage: StorageStack
    ) -> None:
        super().__init__(
            scope,
            settings,
            "catalog",
            "tables over the lake, schema registry, Athena workgroups and readers",
            stateful=True,
        )
        databases = {layer: self._add_database(layer) for layer in (*LAYERS, "gold")}
        for entity in load_entities().values():
            add_tables(self, entity, databases)
        add_registry(self, assets)
        add_named_queries(self, add_workgroups(self, storage))
        analysts = add_analysts_role(self, storage)
        self.add_output(
            "AnalystsRoleArn", analysts.role_arn, "Assume it to read Gold, and Silver without personal data"
        )
        self.add_output("RegistryName", self.names.registry, "Schema registry (NEXUS_REGISTRY)")

    def may_resolve_schemas(self) -> list[iam.PolicyStatement]:
        """To find a version by its definition, and a definition by its version's id."""
        place = f"arn:aws:glue:{self.settings.region}:{self.settings.account}"
        registry = [f"{place}:registry/{self.names.registry}", f"{place}:schema/{self.names.registry}/*"]
        return [
            statement("FindSchemaVersions", ["glue:GetSchemaByDefinition"], registry),
            statement("ReadSchemaVersions", ["glue:GetSchemaVersion"], ["*"]),
        ]

    def may_ask(self, who: str, *layers: str) -> list[iam.PolicyStatement]:
        """To run statements in a workgroup, over the tables of layers (their objects are another matter)."""
        return [
            statement("Ask", ASK, [workgroup_arn(self, who)]),
            statement("ReadTables", READ_TABLES, table_arns(self, *layers)),
        ]

    def _add_database(self, layer: str) -> glue.CfnDatabase:
        buckets = self.names.buckets
        bucket = buckets.silver if layer == "shared" else getattr(buckets, layer)
        return glue.CfnDatabase(
            self,
            f"{layer.capitalize()}Database",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=self.names.database(layer),
                description=_MEANINGS[layer],
                location_uri=f"s3://{bucket}/",
            ),
        )
