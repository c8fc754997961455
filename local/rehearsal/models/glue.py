"""The catalog: Glue's databases, tables and schemas, and Athena's workgroups."""

from local.rehearsal.wanted import Made, Wanted, model


@model("AWS::Glue::Database")
def make_database(wanted: Wanted) -> Made:
    """Names tables."""
    wanted.client("glue").create_database(**wanted.pick("CatalogId", "DatabaseInput"))
    return Made(wanted["DatabaseInput"]["Name"])


@model("AWS::Glue::Table")
def make_table(wanted: Wanted) -> Made:
    """Its partitions are computed by Athena, not kept."""
    wanted.client("glue").create_table(**wanted.pick("CatalogId", "DatabaseName", "TableInput"))
    return Made(wanted["TableInput"]["Name"])


@model("AWS::Glue::Registry")
def make_registry(wanted: Wanted) -> Made:
    """Holds schemas."""
    name = wanted["Name"]
    made = wanted.client("glue").create_registry(
        RegistryName=name, Tags=wanted.tag_map(), **wanted.pick("Description")
    )
    return Made(made["RegistryArn"], {"Arn": made["RegistryArn"]})


# Schemas by ARN that have no version yet: moto's API makes a schema together with its first version, AWS's without
_empty: dict[str, dict[str, object]] = {}


@model("AWS::Glue::Schema")
def make_schema(wanted: Wanted) -> Made:
    """Noted here, made with its first version."""
    registry = wanted["Registry"]["Arn"]
    arn = f"{registry.replace(':registry/', ':schema/')}/{wanted['Name']}"
    _empty[arn] = {
        "RegistryId": {"RegistryArn": registry},
        "SchemaName": wanted["Name"],
        "Tags": wanted.tag_map(),
        **wanted.pick("Compatibility", "DataFormat", "Description"),
    }
    return Made(arn, {"Arn": arn})


@model("AWS::Glue::SchemaVersion")
def make_schema_version(wanted: Wanted) -> Made:
    """In the order of the template; moto takes any, compatible or not."""
    glue, arn, definition = wanted.client("glue"), wanted["Schema"]["SchemaArn"], wanted["SchemaDefinition"]
    if arn in _empty:
        made = glue.create_schema(SchemaDefinition=definition, **_empty.pop(arn))
    else:
        made = glue.register_schema_version(SchemaId={"SchemaArn": arn}, SchemaDefinition=definition)
    return Made(made["SchemaVersionId"], {"VersionId": made["SchemaVersionId"]})


@model("AWS::Athena::WorkGroup")
def make_workgroup(wanted: Wanted) -> Made:
    """Who asks, with which limits."""
    athena = wanted.client("athena")
    athena.create_work_group(
        Name=wanted["Name"],
        Configuration=wanted["WorkGroupConfiguration"],
        Tags=wanted.tags(),
        **wanted.pick("Description"),
    )
    told = athena.get_work_group(WorkGroup=wanted["Name"])["WorkGroup"]
    wanted.read_back(
        {**told, "WorkGroupConfiguration": told["Configuration"]}, "State", "WorkGroupConfiguration"
    )
    wanted.note("RecursiveDeleteOption")
    wanted.get("State")
    return Made(wanted["Name"])


@model("AWS::Athena::NamedQuery")
def make_query(wanted: Wanted) -> Made:
    """A question worth keeping."""
    made = wanted.client("athena").create_named_query(
        **wanted.pick("Name", "Database", "Description", "QueryString", "WorkGroup")
    )
    return Made(made["NamedQueryId"], {"NamedQueryId": made["NamedQueryId"]})
