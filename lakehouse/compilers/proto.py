"""Contract → protobuf: the message of an entity (also the registry's schema) and the API's oneof of all of them."""

import textwrap
from collections.abc import Iterable, Sequence

from lakehouse.catalog import Entity, Field, WireType
from lakehouse.wire import ENVELOPE, FIRST_COLUMN_NUMBER

PACKAGE = "nexus.v1"
GENERATED = "// Generated from the contract by `make generate`. Do not edit."
_ENVELOPE_DOC = {
    "event_id": "Identifies the event; resend it with the event. Without one the event is known by its position.",
    "occurred_at": "When it happened: microseconds since 1970 UTC. Orders the versions of a key.",
    "source": "Who sends it, such as web-shop.",
    "op": "Absent or `upsert`: the full current row. `delete`: the key is gone.",
    "contract_version": "The contract the client was compiled with, such as 1.0.0.",
}


def definition_of(entity: str, message: str, grain: str, fields: Sequence[Field]) -> str:
    """The entity's schema: one flat message, no imports, so that its index in the Glue header is 0."""
    lines = [
        GENERATED,
        'syntax = "proto3";',
        f"package {PACKAGE};",
        "",
        f"// {grain}",
        f"message {message} {{",
    ]
    for wire in ENVELOPE:
        lines += _field(wire.number, wire.name, wire.type, _ENVELOPE_DOC[wire.name])
    lines.append(f"  reserved {len(ENVELOPE) + 1} to {FIRST_COLUMN_NUMBER - 1};")
    for field in sorted(fields, key=lambda f: f.number):
        lines += _field(field.number, field.name, field.wire, field.description)
    return "\n".join([*lines, "}", ""])


def _field(number: int, name: str, wire: WireType, description: str) -> list[str]:
    comment = [f"  // {line}" for line in textwrap.wrap(" ".join(description.split()), 100)]
    kind = "int64" if wire is WireType.INT64 else "string"
    return [*comment, f"  optional {kind} {name} = {number};"]


def events_definition(entities: Iterable[Entity]) -> str:
    """`events.proto`: the oneof that clients fill."""
    listed = sorted(entities, key=lambda e: e.tag)
    imports = [f'import "nexus/v1/{e.name}.proto";' for e in sorted(listed, key=lambda e: e.name)]
    members = [f"    {PACKAGE}.{e.message} {e.name} = {e.tag};" for e in listed]
    return "\n".join(
        [
            GENERATED,
            'syntax = "proto3";',
            "package nexus.ingest.v1;",
            "",
            *imports,
            "",
            "// One event of one entity.",
            "message Event {",
            "  oneof entity {",
            *members,
            "  }",
            "}",
            "",
        ]
    )
