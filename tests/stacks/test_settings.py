"""Settings of an environment: what is refused names the key and what is allowed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from lakehouse.errors import SettingsError
from stacks.settings import ENVIRONMENTS, Settings
from tests.stacks.conftest import cdk_context

Changes = Mapping[str, Any]
NONE: Changes = MappingProxyType({})


def read(
    environment: str = "dev", changes: Changes = NONE, extra: Changes = NONE, process: Changes = NONE
) -> Settings:
    context = cdk_context(environment, changes, extra)
    return Settings.from_context(context.get, process)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_settings_of_every_environment_are_read(environment: str) -> None:
    assert read(environment).environment == environment


def test_settings_until_their_code_is_there_are_python_and_writer() -> None:
    for environment in ENVIRONMENTS:
        settings = read(environment)
        assert (settings.ingest.implementation, settings.land.by) == ("python", "writer")


def test_settings_production_survives_the_loss_of_a_zone() -> None:
    prod = read("prod")
    assert prod.database.multi_az
    assert prod.database.backup_days >= 30
    assert prod.ingest.least_hosts >= 3
    assert prod.removal == "retain"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nonsense": 1}, ["dev.nonsense is not known", "bucket_prefix"]),
        ({"network": {"gateways": 1}}, ["dev.network.gateways is not known", "zones, cidr, egress"]),
        ({"network": {"egress": "internet"}}, ["dev.network.egress is 'internet'", "nat or endpoints"]),
        ({"network": {"zones": ["a", "a", "b"]}}, ["dev.network.zones", "three different"]),
        ({"network": {"zones": "abc"}}, ["dev.network.zones is 'abc'", "a list"]),
        ({"network": {"zones": ["a", "b", 3]}}, ["dev.network.zones[2] is 3", "letter"]),
        ({"network": {"cidr": "192.168.0.0/16"}}, ["dev.network.cidr", "10.20.0.0/16"]),
        ({"region": "us-east-1a"}, ["dev.region", "us-east-1"]),
        ({"account": 123456789012}, ["dev.account is 123456789012", "twelve digits"]),
        ({"bucket_prefix": "Olist_Lake"}, ["dev.bucket_prefix", "prefix"]),
        ({"database": {"multi_az": 1}}, ["dev.database.multi_az is 1", "true or false"]),
        ({"database": {"backup_days": True}}, ["dev.database.backup_days is True", "1 to 35"]),
        ({"database": {"backup_days": 36}}, ["dev.database.backup_days is 36", "1 to 35"]),
        ({"database": {"most_storage_gib": 20, "storage_gib": 30}}, ["dev.database.most_storage_gib"]),
        ({"ingest": {"implementation": "rust"}}, ["dev.ingest.implementation", "python or cpp"]),
        ({"land": {"by": "firehose"}}, ["dev.land.by", "connect or writer"]),
        ({"land": {"least": 3, "most": 2}}, ["dev.land.most"]),
        ({"ingest": {"least_hosts": 3, "most_hosts": 2}}, ["dev.ingest.most_hosts"]),
        ({"observability": {"log_days": 15}}, ["dev.observability.log_days is 15", "7 or 14"]),
        ({"observability": {"alarm_address": "nobody"}}, ["dev.observability.alarm_address", "mail address"]),
        ({"removal": "maybe"}, ["dev.removal", "retain or destroy"]),
        ({"removal": None}, ["dev.removal is empty", "retain or destroy"]),
        ({"destroys": True}, ["dev.destroys is not a setting"]),
        ({"environment": "prod"}, ["dev.environment is not a setting"]),
    ],
)
def test_settings_refuses_and_says_what_is_allowed(changes: Changes, said: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        read(changes=changes)
    for part in said:
        assert part in str(refused.value)


@pytest.mark.parametrize(
    "place", ["region", "storage", "storage.landing_days", "observability.alarm_address"]
)
def test_settings_names_what_is_missing(place: str) -> None:
    context = cdk_context("dev", {}, {})
    block, _, key = place.rpartition(".")
    del (context["dev"][block] if block else context["dev"])[key]
    with pytest.raises(SettingsError, match=rf"dev\.{place} is missing: give "):
        Settings.from_context(context.get, {})


@pytest.mark.parametrize("block", [None, [], "dev"])
def test_settings_refuses_a_block_that_is_none(block: Any) -> None:
    with pytest.raises(SettingsError, match="give a block with the keys"):
        Settings.from_context({"env": "dev", "dev": block}.get, {})


@pytest.mark.parametrize("name", [None, "", "production", "DEV"])
def test_settings_needs_a_known_environment(name: str | None) -> None:
    with pytest.raises(SettingsError, match="dev or staging or prod"):
        Settings.from_context({"env": name}.get, {})


def test_settings_account_is_overridden() -> None:
    assert read(extra={"account": "123456789012"}).account == "123456789012"


def test_settings_account_override_is_checked_too() -> None:
    with pytest.raises(SettingsError, match="twelve digits"):
        read(extra={"account": "12345"})


def test_settings_of_another_account_than_the_credentials_are_refused() -> None:
    process = {"CDK_DEFAULT_ACCOUNT": "999999999999"}
    with pytest.raises(SettingsError, match=r"dev\.account is 111111111111.*999999999999.*-c account="):
        read(process=process)
    assert read(extra={"account": "999999999999"}, process=process).account == "999999999999"


def test_settings_destroys_only_when_both_switches_agree() -> None:
    assert not read("dev").destroys
    assert read("dev", extra={"destroy": "dev"}).destroys
    with pytest.raises(SettingsError, match="another environment"):
        read("dev", extra={"destroy": "staging"})
    with pytest.raises(SettingsError, match=r"dev\.removal is retain"):
        read("dev", {"removal": "retain"}, {"destroy": "dev"})
    with pytest.raises(SettingsError, match="prod cannot be destroyed"):
        read("prod", {"removal": "destroy"}, {"destroy": "prod"})


def test_settings_are_equal_in_shape_in_all_environments() -> None:
    """A knob stands in all blocks, and at least two of them turn it differently."""
    context = cdk_context("dev", {}, {})
    flat = [_flat(context[name]) for name in ENVIRONMENTS]
    assert flat[0].keys() == flat[1].keys() == flat[2].keys()
    not_yet = {"ingest.implementation", "ingest.certificate_id", "land.by", "orchestration.airflow_version"}
    places = {"account", "region", "network.zones", "network.client_cidrs", "streaming.brokers_per_zone"}
    same = {key for key, value in flat[0].items() if value == flat[1][key] == flat[2][key]}
    assert same - not_yet - places <= {
        "processing.memory_mib",
        "processing.whole_object_mib",
        "observability.runbooks",
    }


def _flat(block: Mapping[str, Any]) -> dict[str, Any]:
    flat = {}
    for key, value in block.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": one for inner, one in value.items()}
        else:
            flat[key] = value
    return flat
