"""Tables, schema versions, workgroups."""

from lakehouse.catalog import load_entities
from local.rehearsal.findings import require
from local.rehearsal.scene import Scene
from stacks.naming import WORKGROUPS

_LAYERS = ("bronze", "silver", "quarantine")
_PARTITIONS = ("year", "month", "day")


def tables(scene: Scene) -> str:
    """One of each entity in each layer, with its partitions computed from the day."""
    glue, entities = scene.client("glue"), load_entities()
    for layer in _LAYERS:
        database, bucket = scene.names.database(layer), getattr(scene.names.buckets, layer)
        for entity in entities:
            table = glue.get_table(DatabaseName=database, Name=entity)["Table"]
            keys = tuple(key["Name"] for key in table["PartitionKeys"])
            require(keys == _PARTITIONS, f"{database}.{entity} is partitioned by {keys}")
            parameters = table["Parameters"]
            require(
                parameters.get("projection.enabled") == "true", f"{database}.{entity} projects no partitions"
            )
            require(
                all(f"projection.{key}.type" in parameters for key in keys),
                f"{database}.{entity}: {parameters}",
            )
            place = parameters["storage.location.template"]
            require(place.startswith(f"s3://{bucket}/{entity}/"), f"{database}.{entity} lies in {place}")
    return (
        f"{len(entities)} entities in {len(_LAYERS)} layers, partitions projected on {'/'.join(_PARTITIONS)}"
    )


def schemas(scene: Scene) -> str:
    """The version that the contracts compile to is there, and it is found by its definition."""
    glue, entities = scene.client("glue"), load_entities().values()
    for entity in entities:
        schema = {"RegistryName": scene.names.registry, "SchemaName": entity.topic}
        found = glue.get_schema_by_definition(SchemaId=schema, SchemaDefinition=entity.definition)
        require(found["Status"] == "AVAILABLE", f"{entity.topic} {entity.version} is {found['Status']}")
    return f"{len(entities)} versions AVAILABLE in {scene.names.registry}, as the deployed check also found"


def workgroups(scene: Scene) -> str:
    """Each with its own output, encrypted, and its own limit, which nobody can set aside."""
    athena, limits = scene.client("athena"), []
    for who in WORKGROUPS:
        name = scene.names.workgroup(who)
        found = athena.get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]
        require(found["EnforceWorkGroupConfiguration"], f"{name} can be overruled by whoever asks")
        result = found["ResultConfiguration"]
        place = f"s3://{scene.names.athena_results_bucket}/{who}/"
        require(result["OutputLocation"] == place, f"{name} answers to {result['OutputLocation']}")
        require(
            result["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS", f"{name} does not encrypt"
        )
        limits.append(f"{who} {found['BytesScannedCutoffPerQuery'] / 1024**3:,.0f}")
    return f"own output, encrypted, enforced; GiB a statement: {', '.join(limits)}"
