"""A wrong environment is told by the variable's name and what to give."""

from pathlib import Path

import pytest

from bronze_writer.partition_writer import Limits
from bronze_writer.settings import LOCAL_LIMITS, LakeSettings, Settings
from lakehouse.errors import SettingsError

NEEDED = {"NEXUS_BROKER": "127.0.0.1:9092", "NEXUS_LOG": "shop-2026"}


def test_settings_have_defaults_for_one_machine() -> None:
    settings = Settings.from_env(NEEDED)
    assert settings == Settings(LakeSettings("olist-data-lake-bronze"), "127.0.0.1:9092", "shop-2026")
    assert settings.limits == LOCAL_LIMITS


def test_settings_take_what_is_given() -> None:
    settings = Settings.from_env(
        NEEDED
        | {
            "NEXUS_BUCKET_PREFIX": "my-lake",
            "NEXUS_REGISTRY": "r",
            "NEXUS_FLUSH_BYTES": "128000000",
            "NEXUS_FLUSH_ROWS": "500000",
            "NEXUS_FLUSH_SECONDS": "0.5",
            "NEXUS_PATIENCE_SECONDS": "60",
            "NEXUS_READY_FILE": "/run/ready",
            "NEXUS_LOG_LEVEL": "debug",
            "AWS_REGION": "sa-east-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        }
    )
    lake = LakeSettings("my-lake-bronze", "sa-east-1", "http://127.0.0.1:1", 60, "DEBUG")
    assert settings == Settings(
        lake, "127.0.0.1:9092", "shop-2026", "r", Limits(128_000_000, 500_000, 0.5), Path("/run/ready")
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEXUS_BROKER", ""),
        ("NEXUS_LOG", ""),
        ("NEXUS_LOG", "Not A Log"),
        ("NEXUS_BUCKET_PREFIX", "-"),
        ("NEXUS_FLUSH_BYTES", "0"),
        ("NEXUS_FLUSH_ROWS", "many"),
        ("NEXUS_FLUSH_SECONDS", "-1"),
        ("NEXUS_PATIENCE_SECONDS", "nan"),
        ("NEXUS_LOG_LEVEL", "loud"),
    ],
)
def test_settings_that_cannot_be_used_are_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env(NEEDED | {name: value})
