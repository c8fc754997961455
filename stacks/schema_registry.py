"""The Glue schema registry with every published version, and the check that Glue took them all."""

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_glue as glue

from lakehouse.catalog import Entity, load_entities
from stacks.assets import Assets
from stacks.base import NexusStack, statement
from stacks.functions import FunctionSpec, add_function
from stacks.schema_history import published

NO_ARN = "A schema version is asked for by its id, which has no ARN."


def add_registry(stack: NexusStack, assets: Assets) -> None:
    """Registry, a schema per topic, a version per published definition; the deployment fails if Glue refuses one."""
    registry = glue.CfnRegistry(
        stack,
        "Registry",
        name=stack.names.registry,
        description=f"Schemas of every event on the topics of {stack.settings.environment}",
    )
    registry.apply_removal_policy(stack.removal)
    versions: dict[str, str] = {}
    for entity in load_entities().values():
        versions |= _add_schema(stack, registry, entity)
    _add_check(stack, assets, versions)


def _add_schema(stack: NexusStack, registry: glue.CfnRegistry, entity: Entity) -> dict[str, str]:
    """Versions' ids by a name for people."""
    schema = glue.CfnSchema(
        stack,
        f"{entity.message}Schema",
        registry=glue.CfnSchema.RegistryProperty(arn=registry.attr_arn),
        name=entity.topic,
        data_format="PROTOBUF",
        compatibility="BACKWARD",
        description=entity.description,
    )
    schema.apply_removal_policy(stack.removal)
    ids = {}
    before: glue.CfnSchemaVersion | None = None
    for one in published(entity):
        version = glue.CfnSchemaVersion(
            stack,
            f"{entity.message}V{one.version.replace('.', 'x')}",
            schema=glue.CfnSchemaVersion.SchemaProperty(schema_arn=schema.attr_arn),
            schema_definition=one.definition,
        )
        # always: Glue cannot delete a schema's first version, and rows in Bronze carry its id
        version.apply_removal_policy(RemovalPolicy.RETAIN)
        if before is not None:
            version.add_resource_dependency(before)
        before = version
        ids[f"{one.topic} {one.version}"] = version.attr_version_id
    return ids


def _add_check(stack: NexusStack, assets: Assets, versions: dict[str, str]) -> None:
    function = add_function(
        stack,
        "CheckSchemas",
        FunctionSpec(
            package="check_schemas",
            description="Fails a deployment whose schema versions the registry refuses",
            timeout=Duration.minutes(2),
            may=[statement("ReadSchemaVersions", ["glue:GetSchemaVersion"], ["*"])],
            why_so_wide=NO_ARN,
            pandas=False,
        ),
        assets,
    )
    CustomResource(
        stack,
        "SchemasAvailable",
        resource_type="Custom::SchemasAvailable",
        service_token=function.function_arn,
        service_timeout=Duration.minutes(5),
        properties={"Versions": versions},
    )
