"""What the function imports and what it asks of its environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.errors import SettingsError
from lambdas.check_rows.settings import Settings

ROOT = Path(__file__).parents[3]


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
    whole = {"NEXUS_BUCKET_PREFIX": "olist", "NEXUS_LEDGER_URL": "postgresql://x", "AWS_REGION": "us-east-1"}
    assert Settings.from_env(whole).endpoint is None
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({k: v for k, v in whole.items() if k != name})
