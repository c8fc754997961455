"""Airflow's stack, which is composed when there are DAGs: its template from fixture files, by AWS's rules."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from local.stack_docs.policies import grants_of_roles, trusted
from local.templates import read_settings
from stacks.assets import Assets
from tests.stacks.conftest import Assembly, cdk_context, synthesize, write_undeployed
from tests.stacks.reading import Raw, named, only, resources, text_of, whole
from tests.stacks.test_iam import findings

Apps = Mapping[str, Mapping[str, Raw]]


@pytest.fixture(scope="module")
def apps(undeployed: Callable[[str], Assembly]) -> Apps:
    """The application of dev and of prod."""
    return {environment: undeployed(environment).templates for environment in ("dev", "prod")}


def airflow(apps: Apps, environment: str) -> Raw:
    found: Raw = only(resources(apps[environment]["orchestration"], "AWS::MWAA::Environment"))
    return found


def test_airflow_is_of_the_size_and_version_of_its_environment(apps: Apps) -> None:
    for environment in apps:
        asked, found = read_settings(environment).orchestration, airflow(apps, environment)
        assert found["AirflowVersion"] == asked.airflow_version
        assert found["EnvironmentClass"] == asked.environment_class
        assert found["MaxWorkers"] == asked.most_workers


def test_airflow_micro_has_one_of_each_and_the_others_two(apps: Apps) -> None:
    for environment, number in (("dev", 1), ("prod", 2)):
        found = airflow(apps, environment)
        assert [found[key] for key in ("Schedulers", "MinWebservers", "MaxWebservers")] == [number] * 3


def test_airflow_installs_files_whose_keys_name_their_content(apps: Apps) -> None:
    template, found = apps["dev"]["orchestration"], airflow(apps, "dev")
    placed = only(resources(template, "Custom::PlacedFiles"))
    for key in ("RequirementsS3Path", "PluginsS3Path", "StartupScriptS3Path"):
        asset = placed["Files"][found[key]]
        assert found[key].rpartition("-")[2].partition(".")[0] in asset
        assert f"{key.removesuffix('Path')}ObjectVersion" not in found
    assert placed["Folders"].keys() == {f"{found['DagS3Path']}/"}
    waits_for = only(whole(template, "AWS::MWAA::Environment"))["DependsOn"]
    assert next(iter(resources(template, "Custom::PlacedFiles"))) in waits_for


def test_airflow_reads_the_bucket_that_the_files_are_placed_in(apps: Apps) -> None:
    template = apps["dev"]["orchestration"]
    bucket = only(resources(template, "Custom::PlacedFiles"))["Bucket"]
    source = text_of(airflow(apps, "dev")["SourceBucketArn"]).rpartition("/")[2]
    artifacts = apps["dev"]["storage"]["Outputs"][source]["Value"]["Fn::GetAtt"][0]
    assert apps["dev"]["storage"]["Resources"][artifacts]["Properties"]["BucketName"] == bucket
    properties = named(resources(apps["dev"]["storage"], "AWS::S3::Bucket"), "BucketName", bucket)
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}  # MWAA takes no other


def test_airflow_lives_in_two_private_subnets_and_one_group(apps: Apps) -> None:
    for environment in apps:
        place = airflow(apps, environment)["NetworkConfiguration"]
        assert len(place["SubnetIds"]) == 2
        assert all("privateSubnet" in text_of(subnet) for subnet in place["SubnetIds"])
        assert ["AirflowGroup" in text_of(group) for group in place["SecurityGroupIds"]] == [True]


def test_airflow_page_is_inside_the_network_where_there_is_no_way_out(apps: Apps) -> None:
    assert airflow(apps, "prod")["WebserverAccessMode"] == "PRIVATE_ONLY"


def test_airflow_logs_all_its_parts_with_an_end(apps: Apps) -> None:
    for environment in apps:
        template, found = apps[environment]["orchestration"], airflow(apps, environment)
        assert len(found["LoggingConfiguration"]) == 5
        assert all(
            part == {"Enabled": True, "LogLevel": "INFO"} for part in found["LoggingConfiguration"].values()
        )
        groups = {
            group["LogGroupName"]: group
            for group in resources(template, "AWS::Logs::LogGroup").values()
            if group["LogGroupName"].startswith("airflow-")
        }
        kinds = ("DAGProcessing", "Scheduler", "Task", "WebServer", "Worker")
        assert set(groups) == {f"airflow-{found['Name']}-{kind}" for kind in kinds}
        for group in groups.values():
            assert group["RetentionInDays"] == read_settings(environment).observability.log_days
            assert text_of(group["KmsKeyId"]) == text_of(found["KmsKey"])


def test_airflow_logs_may_use_the_lakes_key_and_no_other_log_may(apps: Apps) -> None:
    for environment in apps:
        key = only(resources(apps[environment]["storage"], "AWS::KMS::Key"))
        granted = [one for one in key["KeyPolicy"]["Statement"] if one.get("Sid") == "AirflowLogs"]
        [context] = [one["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"] for one in granted]
        assert context.endswith(f":log-group:airflow-nexus-{environment}-airflow-*")


def test_airflow_role_may_what_the_list_says_and_no_more(apps: Apps) -> None:
    for environment in apps:
        template = dict(apps[environment]["orchestration"])
        granted = grants_of_roles("orchestration", template, read_settings(environment))
        assert findings(granted) == []


def test_airflow_role_is_that_of_this_environment_alone(apps: Apps) -> None:
    for environment in apps:
        template = dict(apps[environment]["orchestration"])
        roles = resources(template, "AWS::IAM::Role")
        [role] = [one for name, one in roles.items() if name.startswith("AirflowRole")]
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"]["ArnLike"]["aws:SourceArn"].endswith(
            f":environment/nexus-{environment}-airflow"
        )
        assert set(trusted(template, read_settings(environment))["AirflowRole"].split(", ")) == {
            "airflow.amazonaws.com",
            "airflow-env.amazonaws.com",
        }


def test_airflow_is_watched_where_it_is_deployed() -> None:
    from stacks.alarms import all_alarms

    watched = {spec.runbook for spec in all_alarms(read_settings("dev")) if spec.watches == "orchestration"}
    assert watched == {"airflow-silent", "gold-late"}


def test_airflow_files_of_another_content_get_other_keys(
    all_assets: Assets, apps: Apps, tmp_path: Path
) -> None:
    shutil.copytree(all_assets.folder, tmp_path / "assets")
    write_undeployed(tmp_path / "assets", "another")
    context = cdk_context("dev", {"land": {"by": "connect"}}, {})
    after = synthesize(context, Assets(tmp_path / "assets"), tmp_path / "out", with_airflow=True).templates
    keys = ("RequirementsS3Path", "PluginsS3Path", "StartupScriptS3Path")
    for key in keys:
        assert airflow({"dev": after}, "dev")[key] != airflow(apps, "dev")[key]
