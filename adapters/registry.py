"""Glue Schema Registry: ids of the schema versions that the contracts compile to, and definitions by id."""

import time
from collections.abc import Callable
from typing import Any, Self

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from adapters import aws
from lakehouse.catalog import Entity
from lakehouse.errors import RegistryError

_UNKNOWN = "EntityNotFoundException"
# Glue checks a new version's compatibility in the background: seconds, in practice.
_AVAILABLE_WITHIN = 30.0
_POLL = 0.2


def schema_name(entity: Entity) -> str:
    """Name of an entity's schema: its topic, so that a new major version is a schema of its own."""
    return entity.topic


class SchemaRegistry:
    """Keeps what it resolved: a schema version never changes."""

    def __init__(self, client: Any, name: str) -> None:
        self._glue, self._name = client, name
        self._ids: dict[str, str] = {}
        self._definitions: dict[str, str] = {}

    @classmethod
    def connect(cls, endpoint: str | None, region: str, name: str) -> Self:
        """The registry of that name."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=20
        )
        return cls(aws.connect("glue", endpoint, region, config), name)

    def version_id(self, entity: Entity) -> str:
        """Id of the version with the entity's definition; RegistryError when it is not registered."""
        if entity.definition not in self._ids:
            found = self._ask(
                self._glue.get_schema_by_definition,
                SchemaId=self._schema(entity),
                SchemaDefinition=entity.definition,
            )
            if found is None or found["Status"] != "AVAILABLE":
                raise RegistryError(
                    f"registry {self._name} does not have version {entity.version} of {entity.topic}: "
                    "register it (a deployment or `nexus up` does) before events of it are sent"
                )
            self._ids[entity.definition] = found["SchemaVersionId"]
        return self._ids[entity.definition]

    def definition(self, schema_version_id: str) -> str | None:
        """The text of a version; None when the registry does not know the id."""
        if schema_version_id not in self._definitions:
            found = self._ask(self._glue.get_schema_version, SchemaVersionId=schema_version_id)
            if found is None:
                return None
            self._definitions[schema_version_id] = found["SchemaDefinition"]
        return self._definitions[schema_version_id]

    def register(self, entity: Entity) -> str:
        """Registers the entity's definition if it is new; the version's id either way."""
        try:
            return self.version_id(entity)
        except RegistryError as error:
            if error.__cause__ is not None:
                raise
        self._make(self._glue.create_registry, RegistryName=self._name)
        self._make(
            self._glue.create_schema,
            RegistryId={"RegistryName": self._name},
            SchemaName=schema_name(entity),
            DataFormat="PROTOBUF",
            Compatibility="BACKWARD",
            SchemaDefinition=entity.definition,
        )
        made = self._ask(
            self._glue.register_schema_version,
            SchemaId=self._schema(entity),
            SchemaDefinition=entity.definition,
        )
        return self._await_available(entity, made["SchemaVersionId"])

    def _await_available(self, entity: Entity, schema_version_id: str) -> str:
        deadline = time.monotonic() + _AVAILABLE_WITHIN
        while time.monotonic() < deadline:
            found = self._ask(self._glue.get_schema_version, SchemaVersionId=schema_version_id)
            if found["Status"] == "AVAILABLE":
                return schema_version_id
            if found["Status"] == "FAILURE":
                break
            time.sleep(_POLL)
        raise RegistryError(
            f"registry {self._name} refuses {entity.topic} {entity.version}: it is not compatible with the "
            "versions before it; add fields instead of changing them, or raise the major version"
        )

    def _schema(self, entity: Entity) -> dict[str, str]:
        return {"RegistryName": self._name, "SchemaName": schema_name(entity)}

    def _make(self, call: Callable[..., Any], **arguments: Any) -> None:
        try:
            call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AlreadyExistsException":
                raise self._away(error) from error
        except BotoCoreError as error:
            raise self._away(error) from error

    def _ask(self, call: Callable[..., Any], **arguments: Any) -> Any:
        try:
            return call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] == _UNKNOWN:
                return None
            raise self._away(error) from error
        except BotoCoreError as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> RegistryError:
        return RegistryError(f"schema registry {self._name} cannot be asked: {error}")
