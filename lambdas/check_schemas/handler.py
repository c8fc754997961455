"""The Lambda behind a custom resource of the catalog stack: Glue reports a refused version nowhere else.

An incompatible version is registered as FAILURE while its CloudFormation resource succeeds.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3

from adapters.custom_resource import RequestKind, answering
from lakehouse.errors import RegistryError

# Glue compares a version with those before it in the background: seconds, in practice
WITHIN = 60.0
POLL = 1.0


def check(kind: RequestKind, properties: Mapping[str, Any]) -> Mapping[str, str]:
    """The property `Versions` maps a name for people to a schema version id; RegistryError names those refused."""
    if kind == "Delete":
        return {}
    return await_available(boto3.client("glue"), properties["Versions"], time.monotonic, time.sleep)


def await_available(
    glue: Any,
    versions: Mapping[str, str],
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> Mapping[str, str]:
    """Returns when all are AVAILABLE; RegistryError when one is refused, or still pending after a minute."""
    deadline = now() + WITHIN
    waiting = dict(versions)
    while True:
        status = {
            name: glue.get_schema_version(SchemaVersionId=version)["Status"]
            for name, version in waiting.items()
        }
        refused = {name: said for name, said in status.items() if said not in ("AVAILABLE", "PENDING")}
        if refused:
            raise RegistryError(
                f"the schema registry refuses {', '.join(f'{n} ({s})' for n, s in sorted(refused.items()))}: "
                "not compatible with the versions before. Add fields instead of changing them, or raise the "
                "major version"
            )
        waiting = {name: version for name, version in waiting.items() if status[name] == "PENDING"}
        if not waiting:
            return {"Available": str(len(versions))}
        if now() > deadline:
            raise RegistryError(
                f"the schema registry has not decided on {', '.join(sorted(waiting))} within a minute: deploy again"
            )
        sleep(POLL)


lambda_handler = answering("schema-versions", check)
