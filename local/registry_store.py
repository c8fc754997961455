"""moto's Glue schema registry made to last: `registry.json` in the lake, so that ids outlive a restart."""

import json
import logging
import threading
from pathlib import Path
from typing import Any

from moto.glue.exceptions import GlueClientError
from moto.glue.models import FakeRegistry, FakeSchema, FakeSchemaVersion, GlueBackend, glue_backends

from lakehouse.errors import RegistryError
from local.lake_store import write_whole
from local.moto_hooks import Hook, Original
from local.write_through import ACCOUNT

log = logging.getLogger(__name__)

CHANGES = (
    "create_registry",
    "delete_registry",
    "create_schema",
    "register_schema_version",
    "update_schema",
    "delete_schema",
)


class RegistryFile:
    """Registries, schemas and versions of one region in one file. Tags and version metadata are not kept."""

    def __init__(self, path: Path, region: str) -> None:
        self._path, self._region = path, region
        self._lock = threading.RLock()

    def hooks(self) -> tuple[Hook, ...]:
        """All that is wrapped in moto's Glue."""
        return tuple(Hook(GlueBackend, name, self._change) for name in CHANGES)

    def load(self) -> int:
        """Take in what the file holds; returns the number of schema versions. A missing file is an empty one."""
        backend = glue_backends[ACCOUNT][self._region]
        entries = self._read()
        backend.registries.clear()
        backend.num_schemas = backend.num_schema_versions = 0
        for name, entry in entries.items():
            backend.registries[name] = _registry(backend, name, entry)
        return sum(
            len(schema.schema_versions)
            for registry in backend.registries.values()
            for schema in registry.schemas.values()
        )

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        try:
            entries: dict[str, Any] = json.loads(self._path.read_bytes())
        except ValueError as error:
            raise RegistryError(
                f"{self._path} cannot be read ({error}): bring back a copy, or remove it and schemas get new ids"
            ) from error
        return entries

    def _change(self, original: Original, backend: GlueBackend, *args: Any, **kwargs: Any) -> Any:
        if backend.region_name != self._region:
            text = f"this server keeps the registry of {self._region}, not of {backend.region_name}: set AWS_REGION"
            raise GlueClientError("InvalidInputException", text)
        with self._lock:
            answer = original(backend, *args, **kwargs)
            try:
                write_whole(self._path, json.dumps(_as_json(backend), indent=1))
            except OSError as error:
                log.error("the registry could not be written: %s", error)
                self.load()  # what is not on disk must not be answered later either
                raise GlueClientError("InternalServiceException", f"{self._path}: {error}") from error
            return answer


def _as_json(backend: GlueBackend) -> dict[str, Any]:
    return {
        registry.name: {
            "description": registry.description,
            "schemas": {
                schema.schema_name: {
                    "data_format": schema.data_format,
                    "compatibility": schema.compatibility,
                    "description": schema.description,
                    "versions": [
                        {
                            "id": v.schema_version_id,
                            "number": v.version_number,
                            "definition": v.schema_definition,
                        }
                        for v in schema.schema_versions.values()
                    ],
                }
                for schema in registry.schemas.values()
            },
        }
        for registry in backend.registries.values()
    }


def _registry(backend: GlueBackend, name: str, entry: dict[str, Any]) -> FakeRegistry:
    registry = FakeRegistry(backend, name, entry["description"])
    for schema_name, kept in entry["schemas"].items():
        schema = FakeSchema(
            backend,
            name,
            schema_name,
            kept["data_format"],
            kept["compatibility"],
            kept["versions"][0]["id"],
            kept["description"],
        )
        for one in kept["versions"]:
            version = FakeSchemaVersion(backend, name, schema_name, one["definition"], one["number"])
            version.schema_version_id = one["id"]
            schema.schema_versions[version.schema_version_id] = version
            schema.latest_schema_version, schema.next_schema_version = one["number"], one["number"] + 1
        registry.schemas[schema_name] = schema
        backend.num_schemas += 1
        backend.num_schema_versions += len(schema.schema_versions)
    return registry
