"""What the migration takes from its environment, and from the secret that the environment names."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import boto3

from lakehouse.errors import SettingsError

_MEANINGS = {
    "NEXUS_LEDGER_SECRET": "the ARN of the secret with the database owner's name and password",
    "NEXUS_LEDGER_HOST": "the address of the ledger's PostgreSQL",
    "NEXUS_LEDGER_PORT": "its port",
    "NEXUS_LEDGER_DATABASE": "the name of the database",
}


@dataclass(frozen=True)
class Settings:
    """NEXUS_LEDGER_SECRET, _HOST, _PORT, _DATABASE; or NEXUS_LEDGER_URL instead of all of them.

    The secret holds `username` and `password` as RDS keeps them; it is read anew each time, for RDS rotates it.
    """

    secret: str
    host: str
    port: str
    database: str
    url: str | None = None
    endpoint: str | None = None

    @classmethod
    def from_process(cls) -> Self:
        """From this process's own environment."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """SettingsError names the first variable that is missing."""
        url = environment.get("NEXUS_LEDGER_URL") or None
        for name, meaning in _MEANINGS.items():
            if url is None and not environment.get(name):
                raise SettingsError(f"{name} is not set: give {meaning}")
        secret, host, port, database = (environment.get(name, "") for name in _MEANINGS)
        return cls(secret, host, port, database, url, environment.get("AWS_ENDPOINT_URL") or None)

    def ledger_url(self, secrets: Any = None) -> str:
        """Address of the database with its owner's name and password."""
        if self.url:
            return self.url
        client = secrets or boto3.client("secretsmanager", endpoint_url=self.endpoint)
        found = json.loads(client.get_secret_value(SecretId=self.secret)["SecretString"])
        user, password = quote(found["username"], safe=""), quote(found["password"], safe="")
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{self.database}?sslmode=verify-full"
