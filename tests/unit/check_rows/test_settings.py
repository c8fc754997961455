"""What the function imports and what it asks of its environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.errors import SettingsError
from lambdas.check_rows.limits import LIMITS
from lambdas.check_rows.settings import Settings

ROOT = Path(__file__).parents[3]
WHOLE = {"NEXUS_BUCKET_PREFIX": "olist", "NEXUS_LEDGER_URL": "postgresql://x", "AWS_REGION": "us-east-1"}


def test_handler_imports_nothing_that_the_lambda_does_not_have() -> None:
    """Native code only from the managed layer (numpy, pyarrow); the rest is pure Python in the asset."""
    command = (
        "import sys, lambdas.check_rows.handler; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    environment = {"PATH": os.defpath, "AWS_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"pyarrow", "aws_lambda_powertools", "pg8000"} <= loaded
    assert not loaded & {
        "pydantic",
        "pandas",
        "yaml",
        "duckdb",
        "moto",
        "grpc",
        "confluent_kafka",
        "google",
        "local",
    }


@pytest.mark.parametrize("name", ["NEXUS_BUCKET_PREFIX", "NEXUS_LEDGER_URL", "AWS_REGION"])
def test_settings_name_what_is_missing(name: str) -> None:
    assert Settings.from_env(WHOLE).endpoint is None
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({k: v for k, v in WHOLE.items() if k != name})


def test_settings_say_up_to_where_an_object_is_read_in_one_piece() -> None:
    assert Settings.from_env(WHOLE).whole_bytes == LIMITS.whole_bytes
    assert Settings.from_env({**WHOLE, "NEXUS_WHOLE_OBJECT_BYTES": "1000"}).whole_bytes == 1000


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "32 MiB", "1" * 14])
def test_settings_refuse_what_is_no_number_of_bytes(text: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"NEXUS_WHOLE_OBJECT_BYTES is {text!r}")):
        Settings.from_env({**WHOLE, "NEXUS_WHOLE_OBJECT_BYTES": text})
