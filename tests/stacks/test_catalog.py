"""Tables, registry, workgroups and the analysts' role."""

import json
import re
from pathlib import Path

import pytest

from lakehouse.catalog import load_entities
from lakehouse.compilers.glue import glue_columns
from lakehouse.paths import BronzeKey
from local.templates import read_settings
from stacks.athena import INSIGHTS
from stacks.schema_history import published
from tests.stacks.conftest import ROOT, Compose
from tests.stacks.reading import Raw, named, only, resources, statements, text_of, whole

ENTITIES = load_entities()
LAYERS = ("bronze", "silver", "quarantine", "shared")
PREFIX = "olist-data-lake"


def catalog(raw_templates: Compose, environment: str = "prod") -> Raw:
    template: Raw = raw_templates(environment)["catalog"]
    return template


def table(template: Raw, layer: str, entity: str) -> Raw:
    [found] = [
        properties["TableInput"]
        for properties in resources(template, "AWS::Glue::Table").values()
        if properties["DatabaseName"].endswith(f"_{layer}") and properties["TableInput"]["Name"] == entity
    ]
    return found


def columns(found: Raw) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in found["StorageDescriptor"]["Columns"]]


def test_catalog_has_a_database_per_layer(raw_templates: Compose, environment: str) -> None:
    found = resources(catalog(raw_templates, environment), "AWS::Glue::Database").values()
    names = {database["DatabaseInput"]["Name"] for database in found}
    assert names == {f"nexus_{environment}_{layer}" for layer in (*LAYERS, "gold")}


@pytest.mark.parametrize("layer", ["bronze", "silver", "quarantine"])
@pytest.mark.parametrize("entity", ENTITIES)
def test_catalog_columns_are_those_of_the_contract(raw_templates: Compose, layer: str, entity: str) -> None:
    found = table(catalog(raw_templates), layer, entity)
    assert columns(found) == glue_columns(ENTITIES[entity])[layer]


@pytest.mark.parametrize("entity", ENTITIES)
def test_catalog_tables_project_the_partitions_of_the_lakes_keys(raw_templates: Compose, entity: str) -> None:
    """A key that the lake's own module builds lies where the projected partition of its day says."""
    found = table(catalog(raw_templates), "bronze", entity)
    assert [column["Name"] for column in found["PartitionKeys"]] == ["year", "month", "day"]
    parameters = found["Parameters"]
    assert parameters["projection.enabled"] == "true"
    assert parameters["projection.year.type"] == "integer"
    first, last = (int(year) for year in parameters["projection.year.range"].split(","))
    assert first <= 2016, "Olist's first orders"
    assert last >= 2040
    for name, digits in (("month", "2"), ("day", "2")):
        assert parameters[f"projection.{name}.type"] == "integer"
        assert parameters[f"projection.{name}.digits"] == digits
    day = parameters["storage.location.template"]
    for name, value in (("year", "2026"), ("month", "03"), ("day", "09")):
        day = day.replace("${" + name + "}", value)
    key = BronzeKey.parse(f"{entity}/year=2026/month=03/day=09/log-1+0+{0:020d}.parquet")
    assert f"s3://{PREFIX}-bronze/{key}".startswith(day)
    assert day.startswith(found["StorageDescriptor"]["Location"])


def test_catalog_needs_no_crawler(raw_templates: Compose, environment: str) -> None:
    assert not resources(catalog(raw_templates, environment), "AWS::Glue::Crawler")


@pytest.mark.parametrize("layer", ["silver", "quarantine", "shared"])
def test_catalog_tables_lie_where_the_check_hop_writes(raw_templates: Compose, layer: str) -> None:
    found = table(catalog(raw_templates), layer, "orders")
    bucket = "quarantine" if layer == "quarantine" else "silver"
    key = BronzeKey.parse(f"orders/year=2026/month=03/day=09/log-1+0+{0:020d}.parquet").silver(1, 0)
    place = f"s3://{PREFIX}-{bucket}/{key}"
    day = (
        place.rpartition("/")[0]
        .replace("2026", "${year}")
        .replace("=03", "=${month}")
        .replace("=09", "=${day}")
    )
    assert found["Parameters"]["storage.location.template"] == day + "/"


@pytest.mark.parametrize("entity", ENTITIES)
def test_catalog_shares_silver_without_personal_data(raw_templates: Compose, entity: str) -> None:
    template = catalog(raw_templates)
    personal = {column.name for column in ENTITIES[entity].fields if column.personal}
    shared, silver = columns(table(template, "shared", entity)), columns(table(template, "silver", entity))
    assert shared == [column for column in silver if column[0] not in personal]


def test_catalog_has_personal_data_to_leave_out() -> None:
    """Else the tests above prove nothing."""
    assert any(column.personal for entity in ENTITIES.values() for column in entity.fields)


def test_catalog_analysts_cannot_reach_what_the_shared_tables_leave_out(
    raw_templates: Compose, environment: str
) -> None:
    template = catalog(raw_templates, environment)
    [role] = [i for i, r in resources(template, "AWS::IAM::Role").items() if "RoleName" in r]
    granted = [one for one in statements(template) if one.owner == role]
    actions = {action for one in granted for action in one.actions}
    assert not {a for a in actions if a.startswith(("glue:Create", "glue:Update", "lakeformation:"))}
    assert not actions & {"athena:CreateDataCatalog", "athena:StartSession", "athena:CreateWorkGroup"}
    tables = {r for one in granted for r in one.resources if ":table/" in r or ":database/" in r}
    assert {text.rsplit("/", 2)[-2 if ":table/" in text else -1] for text in tables} == {
        "default",
        f"nexus_{environment}_gold",
        f"nexus_{environment}_shared",
    }


def test_catalog_analysts_read_objects_through_athena_alone(raw_templates: Compose, environment: str) -> None:
    template = catalog(raw_templates, environment)
    [role] = [i for i, r in resources(template, "AWS::IAM::Role").items() if "RoleName" in r]
    through = json.dumps(
        {"ForAnyValue:StringEquals": {"aws:CalledVia": ["athena.amazonaws.com"]}}, sort_keys=True
    )
    for one in statements(template):
        touched = {
            r.split(":::")[-1].partition("/")[0].rpartition("-")[2] for r in one.resources if ":::" in r
        }
        if one.owner == role and touched & {"silver", "gold", "bronze", "quarantine"}:
            assert one.conditions == through
            assert touched <= {"silver", "gold"}


def test_catalog_registers_every_published_version_for_ever(raw_templates: Compose, environment: str) -> None:
    template = catalog(raw_templates, environment)
    definitions = {
        v["Properties"]["SchemaDefinition"] for v in whole(template, "AWS::Glue::SchemaVersion").values()
    }
    assert definitions == {v.definition for entity in ENTITIES.values() for v in published(entity)}
    for version in whole(template, "AWS::Glue::SchemaVersion").values():
        assert (version["DeletionPolicy"], version["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_catalog_schema_versions_are_retained_even_where_all_is_destroyed(raw_templates: Compose) -> None:
    """Glue refuses to delete a schema's first version; the schema goes, and its versions with it."""
    template = raw_templates("dev", context={"destroy": "dev"})["catalog"]
    versions = whole(template, "AWS::Glue::SchemaVersion").values()
    assert {version["DeletionPolicy"] for version in versions} == {"Retain"}
    assert {s["DeletionPolicy"] for s in whole(template, "AWS::Glue::Schema").values()} == {"Delete"}


def test_catalog_schemas_are_one_per_topic_and_compatible(raw_templates: Compose, environment: str) -> None:
    found = resources(catalog(raw_templates, environment), "AWS::Glue::Schema").values()
    assert {schema["Name"] for schema in found} == {entity.topic for entity in ENTITIES.values()}
    assert {(s["DataFormat"], s["Compatibility"]) for s in found} == {("PROTOBUF", "BACKWARD")}
    registry = only(resources(catalog(raw_templates, environment), "AWS::Glue::Registry"))
    assert registry["Name"] == f"keystone-nexus-{environment}"
    [name] = resources(catalog(raw_templates, environment), "AWS::Glue::Registry")
    assert {text_of(schema["Registry"]["Arn"]) for schema in found} == {f"{name}.Arn"}


def test_catalog_deployment_asks_for_every_version(raw_templates: Compose, environment: str) -> None:
    template = catalog(raw_templates, environment)
    asks = only(resources(template, "Custom::SchemasAvailable"))
    asked = {text_of(version) for version in asks["Versions"].values()}
    assert asked == {f"{name}.VersionId" for name in resources(template, "AWS::Glue::SchemaVersion")}
    function = text_of(asks["ServiceToken"]).removesuffix(".Arn")
    handler = resources(template, "AWS::Lambda::Function")[function]["Handler"]
    assert handler == "lambdas.check_schemas.handler.lambda_handler"


def test_catalog_workgroups_are_enforced_and_encrypted(raw_templates: Compose, environment: str) -> None:
    groups = resources(catalog(raw_templates, environment), "AWS::Athena::WorkGroup").values()
    assert {g["Name"] for g in groups} == {
        f"nexus-{environment}-{who}" for who in ("pipeline", "analysts", "audit")
    }
    places = set()
    for group in groups:
        configuration = group["WorkGroupConfiguration"]
        assert configuration["EnforceWorkGroupConfiguration"]
        assert configuration["PublishCloudWatchMetricsEnabled"]
        answers = configuration["ResultConfiguration"]
        assert answers["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
        places.add(text_of(answers["OutputLocation"]))
    assert len(places) == 3
    bucket = f"{read_settings(environment).bucket_prefix}-athena-results"
    assert all(place.startswith(f"s3://{bucket}/") for place in places)


def test_catalog_limits_differ_and_the_pipelines_stops_no_merge(
    raw_templates: Compose, environment: str
) -> None:
    groups = resources(catalog(raw_templates, environment), "AWS::Athena::WorkGroup")

    def limit(who: str) -> int:
        configuration = named(groups, "Name", f"nexus-{environment}-{who}")["WorkGroupConfiguration"]
        return int(configuration["BytesScannedCutoffPerQuery"])

    assert 10_000_000 <= limit("analysts") < limit("audit") < limit("pipeline")
    assert limit("pipeline") == 2**50


def test_catalog_named_queries_ask_what_is_there(raw_templates: Compose, environment: str) -> None:
    template = catalog(raw_templates, environment)
    queries = resources(template, "AWS::Athena::NamedQuery").values()
    insights = {q["QueryString"] for q in queries if q["WorkGroup"].endswith("-analysts")}
    assert insights == {f'select *\nfrom "nexus_{environment}_gold"."{name}"\n' for name in INSIGHTS}
    for query in queries:
        if query["WorkGroup"].endswith("-audit"):
            for entity in ENTITIES:
                assert f'"nexus_{environment}_quarantine"."{entity}"' in query["QueryString"]
            # each reads some days of arrival alone
            assert len(re.findall(r"year (?:=|in) ", query["QueryString"])) == len(ENTITIES)


def test_catalog_insights_are_those_of_the_model() -> None:
    assert {path.stem for path in Path(ROOT / "dbt/models/insights").glob("*.sql")} == set(INSIGHTS)
