"""The ledger's database: what it survives, who signs in and how, and its migration at deploy."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.ledger.connection import migration_names
from local.templates import read_settings
from stacks.ledger_users import USERS
from tests.stacks.conftest import Compose
from tests.stacks.reading import Raw, named, only, resources, statements, text_of, whole

PROXY = ({"proxy": True}, {"proxy": False})


def database(raw_templates: Compose, environment: str, **more: object) -> Raw:
    template: Raw = raw_templates(environment, **more)["database"]
    return template


def instance(template: Raw) -> Raw:
    """As it is without a snapshot that it comes back from."""
    found: Raw = only(resources(template, "AWS::RDS::DBInstance"))
    return {key: value["Fn::If"][2] if "Fn::If" in text_of(value) else value for key, value in found.items()}


def test_database_is_closed_and_encrypted_with_a_key_of_ours(
    raw_templates: Compose, environment: str
) -> None:
    template = database(raw_templates, environment)
    found = instance(template)
    assert not found["PubliclyAccessible"]
    assert found["StorageEncrypted"]
    [key] = resources(template, "AWS::KMS::Key")
    assert text_of(found["KmsKeyId"]) == f"{key}.Arn"
    assert resources(template, "AWS::KMS::Key")[key]["EnableKeyRotation"]
    parameters = only(resources(template, "AWS::RDS::DBParameterGroup"))["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    assert len(only(resources(template, "AWS::RDS::DBSubnetGroup"))["SubnetIds"]) == 3


def test_database_owner_has_a_secret_that_rds_rotates(raw_templates: Compose, environment: str) -> None:
    found = instance(database(raw_templates, environment))
    assert found["ManageMasterUserPassword"]
    assert "MasterUserPassword" not in found
    assert text_of(found["MasterUserSecret"]["KmsKeyId"]) == text_of(found["KmsKeyId"])


def test_database_users_sign_in_by_iam(raw_templates: Compose, environment: str) -> None:
    assert instance(database(raw_templates, environment))["EnableIAMDatabaseAuthentication"]


def test_database_of_production_survives_a_zone_and_a_mistake(raw_templates: Compose) -> None:
    found = instance(database(raw_templates, "prod"))
    assert found["MultiAZ"]
    assert found["DeletionProtection"]
    assert found["BackupRetentionPeriod"] >= 30
    assert not found["DeleteAutomatedBackups"]
    assert found["CopyTagsToSnapshot"]


def test_database_keeps_backups_as_long_as_the_environment_says(
    raw_templates: Compose, environment: str
) -> None:
    found = instance(database(raw_templates, environment))
    assert found["BackupRetentionPeriod"] == read_settings(environment).database.backup_days
    assert not found["DeleteAutomatedBackups"]


def test_database_is_of_the_size_and_version_that_was_asked_for(
    raw_templates: Compose, environment: str
) -> None:
    found, asked = instance(database(raw_templates, environment)), read_settings(environment).database
    assert found["DBInstanceClass"] == f"db.{asked.instance}"
    assert (found["Engine"], found["EngineVersion"].split(".")[0]) == ("postgres", "17")
    assert found["CACertificateIdentifier"] == "rds-ca-rsa2048-g1", "roots of others are in no client"
    assert found["MultiAZ"] is asked.multi_az
    assert found["DeletionProtection"] is True


def test_database_is_reached_by_its_clients_alone(raw_templates: Compose, environment: str) -> None:
    template = database(raw_templates, environment)
    found = instance(template)
    assert ["DatabaseGroup" in text_of(group) for group in found["VPCSecurityGroups"]] == [True]
    assert found["Port"] == "5432"
    for key, kind in (
        ("DBSubnetGroupName", "AWS::RDS::DBSubnetGroup"),
        ("DBParameterGroupName", "AWS::RDS::DBParameterGroup"),
    ):
        assert [text_of(found[key])] == list(resources(template, kind))
    for proxy in resources(template, "AWS::RDS::DBProxy").values():
        assert ["ProxyGroup" in text_of(group) for group in proxy["VpcSecurityGroupIds"]] == [True]
        assert len(proxy["VpcSubnetIds"]) == 3
    migrates = only(resources(template, "AWS::Lambda::Function"))["VpcConfig"]
    assert ["FunctionsGroup" in text_of(group) for group in migrates["SecurityGroupIds"]] == [True]


def test_database_grows_and_is_patched(raw_templates: Compose, environment: str) -> None:
    found = instance(database(raw_templates, environment))
    assert found["MaxAllocatedStorage"] > int(found["AllocatedStorage"])
    assert found["AutoMinorVersionUpgrade"]
    assert found["StorageType"] == "gp3"


def test_database_logs_have_an_end(raw_templates: Compose, environment: str) -> None:
    template = database(raw_templates, environment)
    assert instance(template)["EnableCloudwatchLogsExports"] == ["postgresql"]
    groups = resources(template, "AWS::Logs::LogGroup").values()
    assert all("RetentionInDays" in group for group in groups)
    name = f"/aws/rds/instance/nexus-{environment}-ledger/postgresql"
    assert name in {group["LogGroupName"] for group in groups}


@pytest.mark.parametrize("kind", ["AWS::RDS::DBInstance", "AWS::KMS::Key", "AWS::RDS::DBSubnetGroup"])
def test_database_stays_when_its_stack_goes(raw_templates: Compose, environment: str, kind: str) -> None:
    found = only(whole(database(raw_templates, environment), kind))
    assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_database_goes_when_both_switches_agree(raw_templates: Compose) -> None:
    template = database(raw_templates, "dev", context={"destroy": "dev"})
    assert not instance(template)["DeletionProtection"]
    assert only(whole(template, "AWS::RDS::DBInstance"))["DeletionPolicy"] == "Delete"


def test_database_has_a_proxy_where_the_setting_says_so(raw_templates: Compose) -> None:
    for database_settings in PROXY:
        template = database(raw_templates, "dev", database=database_settings)
        assert len(resources(template, "AWS::RDS::DBProxy")) == int(database_settings["proxy"])
        assert len(resources(template, "AWS::RDS::DBProxyTargetGroup")) == int(database_settings["proxy"])


def test_database_proxy_takes_tokens_over_tls_and_holds_no_secret(raw_templates: Compose) -> None:
    template = database(raw_templates, "prod")
    proxy = only(resources(template, "AWS::RDS::DBProxy"))
    assert (proxy["DefaultAuthScheme"], proxy["RequireTLS"]) == ("IAM_AUTH", True)
    assert "Auth" not in proxy
    target = only(resources(template, "AWS::RDS::DBProxyTargetGroup"))
    assert target["TargetGroupName"] == "default"
    assert [text_of(one) for one in target["DBInstanceIdentifiers"]] == list(
        resources(template, "AWS::RDS::DBInstance")
    )
    [signs_in] = [one for one in statements(template) if one.actions == ("rds-db:connect",)]
    [ledger] = resources(template, "AWS::RDS::DBInstance")
    place = f"arn:aws:rds-db:us-east-1:333333333333:dbuser:{ledger}.DbiResourceId"
    assert signs_in.resources == tuple(f"{place}/{user}" for user in sorted(USERS))


def migration(template: Raw) -> Mapping[str, Any]:
    found: Mapping[str, Any] = only(resources(template, "Custom::LedgerSchema"))
    return found


def test_database_migration_runs_again_when_there_is_a_new_one(
    raw_templates: Compose, environment: str
) -> None:
    """CloudFormation calls a custom resource when its properties change, and only then."""
    found = migration(database(raw_templates, environment))
    assert found["Migrations"] == migration_names()
    assert found["Users"] == dict(USERS)


def test_database_migration_fails_the_deployment_soon(raw_templates: Compose, environment: str) -> None:
    template = database(raw_templates, environment)
    assert int(migration(template)["ServiceTimeout"]) <= 600
    function = named(
        resources(template, "AWS::Lambda::Function"), "FunctionName", f"nexus-{environment}-migrate-ledger"
    )
    assert function["Timeout"] < int(migration(template)["ServiceTimeout"])
    token = text_of(migration(template)["ServiceToken"])
    assert token.removesuffix(".Arn") in resources(template, "AWS::Lambda::Function")


def test_database_migration_signs_in_as_the_owner_directly(raw_templates: Compose) -> None:
    template = database(raw_templates, "prod")
    function = only(resources(template, "AWS::Lambda::Function"))
    [ledger] = resources(template, "AWS::RDS::DBInstance")
    variables = function["Environment"]["Variables"]
    assert text_of(variables["NEXUS_LEDGER_HOST"]) == f"{ledger}.Endpoint.Address"
    assert text_of(variables["NEXUS_LEDGER_SECRET"]) == f"{ledger}.MasterUserSecret.SecretArn"
    assert len(function["VpcConfig"]["SubnetIds"]) == 3
    reads = {one.sid: one.resources for one in statements(template) if one.owner.startswith("MigrateLedger")}
    assert reads["ReadOwnerSecret"] == (f"{ledger}.MasterUserSecret.SecretArn",)


def test_database_addresses_of_others_go_through_the_proxy_and_verify(assets: Any) -> None:
    addresses = {proxy: _address(assets, proxy) for proxy in (True, False)}
    for address in addresses.values():
        assert address.startswith("postgresql://check_rows@")
        assert address.endswith(":5432/ledger?sslmode=verify-full&auth=iam")
    assert "Proxy.Endpoint" in addresses[True]
    assert "Endpoint.Address" in addresses[False]


def _address(assets: Any, proxy: bool) -> str:
    from stacks.base import App
    from stacks.database import DatabaseStack
    from stacks.network import NetworkStack
    from stacks.settings import Settings
    from tests.stacks.conftest import cdk_context

    app = App(context=cdk_context("dev", {"database": {"proxy": proxy}}, {}))
    settings = Settings.from_context(app.node.try_get_context, {})
    stack = DatabaseStack(app, settings, assets, network=NetworkStack(app, settings))
    with pytest.raises(ValueError, match="no user of the ledger"):
        stack.ledger_url("postgres")
    place = text_of(stack.resolve(stack.may_connect("check_rows").to_json())["Resource"])
    assert place.endswith("/check_rows")
    return text_of(stack.resolve(stack.ledger_url("check_rows")))


def test_database_comes_back_from_a_snapshot_only_when_told(raw_templates: Compose, environment: str) -> None:
    """What a restored instance has from its snapshot, CloudFormation must not be given again."""
    template = database(raw_templates, environment)
    assert template["Parameters"]["LedgerSnapshot"]["Default"] == ""
    found = only(resources(template, "AWS::RDS::DBInstance"))
    nothing = {"Ref": "AWS::NoValue"}
    restored = ["LedgerIsRestored", {"Ref": "LedgerSnapshot"}, nothing]
    assert found["DBSnapshotIdentifier"] == {"Fn::If": restored}
    for key in ("DBName", "KmsKeyId", "MasterUsername"):
        condition, with_snapshot, without = found[key]["Fn::If"]
        assert (condition, with_snapshot) == ("LedgerIsRestored", nothing)
        assert without != nothing
    assert found["StorageEncrypted"] is True
