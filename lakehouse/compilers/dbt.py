"""Contract → dbt: the typed columns of Silver, the sources, the current and staging models with their tests."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import yaml

from lakehouse.bronze import silver_schema
from lakehouse.catalog import Entity, Rule
from lakehouse.compilers.dbt_tests import DataTest, translate
from lakehouse.compilers.targets import NotExpressible, concerns, fields_of

_NOTE = "Generated from the contracts by `make generate`. Do not edit."
_ENVELOPE_TEXTS = {
    "event_id": "Identifies the event; a resent event keeps it.",
    "occurred_at": "When it happened, UTC; the first thing that orders the versions of a key.",
    "source": "Who sent it.",
    "op": "Empty or upsert for a full row; delete when the key is gone.",
    "contract_version": "Contract version the row was written with.",
    "pos_log": "Log of the row's position: one incarnation of a topic, or one batch file.",
    "pos_topic": "Topic of the row's position.",
    "pos_partition": "Partition of the row's position.",
    "pos_offset": "Offset of the row's position.",
    "broker_time": "When the broker took it, UTC.",
    "registry_id": "Schema version in the registry.",
    "row_hash": "Hash of event id, position and content.",
    "warnings": "Rules of severity warn that the row breaks, and what its object had too few or too many of.",
    "extras": "JSON by name of columns that the contract does not know; empty where there are none.",
    "edit": "JSON: who edited the row in Quarantine, when, by which file, which columns; empty for a row as it came.",
}

ONE_PAYLOAD = "event_says_one_thing"  # ends the name of the test of each entity
_VERSION = ("op", "occurred_at", "broker_time", "pos_log", "pos_partition", "pos_offset")


def model_files(entities: Iterable[Entity]) -> dict[str, str]:
    """Path below `dbt/` → text of everything generated there."""
    known = sorted(entities, key=lambda e: e.name)
    current, staging = "models/current/generated", "models/staging/generated"
    return {
        "macros/generated/silver_columns.sql": silver_columns_macro(known),
        f"{staging}/_sources.yml": sources(known),
        f"{current}/_current.yml": current_models(known),
        **{f"{current}/current_{e.name}.sql": current_model(e) for e in known},
        f"{staging}/_staging.yml": staging_models(known),
        **{f"{staging}/stg_{e.name}.sql": f"{{{{ live_rows('{e.name}') }}}}\n" for e in known},
    }


def silver_columns_macro(entities: Iterable[Entity]) -> str:
    """Macros `silver_columns(entity)`: [(name, type)], `staging_columns(entity)` and `silver_key(entity)`: [name].

    Types are spelt as both DuckDB and Athena read them. Lists (`warnings`) are left out: no model may read them.
    """
    known = sorted(entities, key=lambda e: e.name)
    columns = {
        e.name: [f"('{f.name}', '{t}')" for f in silver_schema(e) if (t := sql_type(f.type))] for e in known
    }
    staged = {e.name: [f"'{c.name}'" for c in e.fields] for e in known}
    keys = {e.name: [f"'{c}'" for c in e.key] for e in known}
    macros = (
        _table_macro("silver_columns", columns),
        _table_macro("staging_columns", staged),
        _table_macro("silver_key", keys),
    )
    return f"{{#- {_NOTE} -#}}\n" + "\n".join(macros)


def sources(entities: Iterable[Entity]) -> str:
    """Properties of the source `silver`: one table per entity, every column described, the rules as tests."""
    source = {
        "name": "silver",
        "description": "Rows that passed every rule of severity error, with real types; committed objects only.",
        "tables": [_source_table(entity) for entity in sorted(entities, key=lambda e: e.name)],
    }
    return f"# {_NOTE}\n" + yaml.safe_dump(
        {"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True, width=110
    )


def _source_table(entity: Entity) -> dict[str, Any]:
    described = {c.name: c.description for c in entity.fields} | _ENVELOPE_TEXTS
    tests = _data_tests(entity)
    columns = [
        {"name": f.name, "description": _one_line(described[f.name])} | _tests_of(tests, f.name)
        for f in silver_schema(entity)
    ]
    return {
        "name": entity.name,
        "description": _one_line(f"{entity.description} Grain: one row per version of a key or resend."),
        **_tests_of(tests, None),
        "columns": columns,
    }


def _data_tests(entity: Entity) -> dict[str | None, list[dict[str, Any]]]:
    """By column, those of the table under None. A rule that takes several tests has them numbered."""
    fields, found = fields_of(entity), dict[str | None, list[dict[str, Any]]]()
    for concern in concerns(entity):
        tests = translate(concern, fields)
        if isinstance(tests, NotExpressible):
            continue
        for number, test in enumerate(tests, 1):
            version = f"__{concern.only[-1].replace('.', '_')}" if concern.only else ""
            name = f"{entity.name}__{concern.rule.id}{version}" + (f"__{number}" if len(tests) > 1 else "")
            found.setdefault(test.column, []).append({test.test: _test_properties(concern.rule, name, test)})
    found.setdefault("event_id", []).append({"says_one_thing": _one_payload(entity)})
    return found


def _one_payload(entity: Entity) -> dict[str, Any]:
    """An event that is sent again may not say another thing: both rows are kept, and the newest one counts."""
    return {
        "name": f"{entity.name}__{ONE_PAYLOAD}",
        "description": "An event arrived more than once, with other values: Gold has the newest.",
        "arguments": {"columns": ["op", "occurred_at", *(f.name for f in entity.fields)]},
        "config": {"severity": "warn"},
    }


def _test_properties(rule: Rule, name: str, test: DataTest) -> dict[str, Any]:
    return {
        "name": name,
        "description": _one_line(rule.text),
        **({"arguments": test.arguments} if test.arguments else {}),
        **({"config": {"severity": "warn"}} if rule.severity == "warn" else {}),
    }


def _tests_of(tests: Mapping[str | None, list[dict[str, Any]]], column: str | None) -> dict[str, Any]:
    return {"data_tests": tests[column]} if column in tests else {}


def current_model(entity: Entity) -> str:
    """The model that a build adds to: a unit is all that shares the first column of the key, without a key a log."""
    unit = entity.key[0] if entity.key else "pos_log"
    config = f"{{{{ config(materialized='increment', unit='{unit}', entity='{entity.name}') }}}}"
    return f"{config}\n\n{{{{ current_versions('{entity.name}') }}}}\n"


def current_models(entities: Iterable[Entity]) -> str:
    """Properties of the current tables: keys tested, every column described."""
    lines = [f"# {_NOTE}", "version: 2", "models:"]
    for entity in sorted(entities, key=lambda e: e.name):
        if entity.key:
            grain = _key_text(entity)
            what = (
                f"The newest version of each key of {entity.name}, deletes too. Grain: one row per {grain}."
            )
        else:
            what = f"Every row of {entity.name}. Grain: one row per position."
        described = {c.name: c.description for c in entity.fields}
        versions = _VERSION if entity.key else (*_VERSION, "event_id", "source")
        described |= {name: _ENVELOPE_TEXTS[name] for name in versions}
        lines += [
            f"  - name: current_{entity.name}",
            f"    description: {_quoted(what)}",
            *_key_test(entity),
            "    columns:",
        ]
        for name, text in described.items():
            lines += [f"      - name: {name}", f"        description: {_quoted(text)}"]
    return "\n".join(lines) + "\n"


def staging_models(entities: Iterable[Entity]) -> str:
    """Properties of the staging models: descriptions from the contract."""
    lines = [f"# {_NOTE}", "version: 2", "models:"]
    for entity in sorted(entities, key=lambda e: e.name):
        grain = entity.grain[0].lower() + entity.grain[1:]
        lines += [
            f"  - name: stg_{entity.name}",
            f"    description: {_quoted(f'{entity.description} {_survivors(entity)} Grain: {grain}')}",
            "    columns:",
        ]
        for column in entity.fields:
            lines += [f"      - name: {column.name}", f"        description: {_quoted(column.description)}"]
    return "\n".join(lines) + "\n"


def sql_type(kind: pa.DataType) -> str | None:
    """The type's name in SQL, the same in DuckDB and Athena; None for lists. A type without one fails loudly."""
    plain = {
        pa.string(): "varchar",
        pa.int32(): "integer",
        pa.int64(): "bigint",
        pa.float64(): "double",
        pa.timestamp("us"): "timestamp",
    }
    if kind in plain:
        return plain[kind]
    if pa.types.is_decimal128(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_list(kind):
        return None
    raise TypeError(f"{kind} has no SQL type: add it to lakehouse.compilers.dbt")


def _survivors(entity: Entity) -> str:
    if entity.key:
        return "The newest version of each key; deleted keys are gone."
    return "Of each source the newest load, with all its exact copies."


def _key_text(entity: Entity) -> str:
    return f"({', '.join(entity.key)})"


def _key_test(entity: Entity) -> list[str]:
    if not entity.key:
        return []
    return [
        "    data_tests:",
        "      - is_key:",
        f"          name: current_{entity.name}_has_its_key",
        f"          arguments: {{columns: [{', '.join(entity.key)}]}}",
    ]


def _table_macro(name: str, rows: dict[str, list[str]]) -> str:
    lines = [f"{{%- macro {name}(entity) -%}}", "    {%- set known = {"]
    for entity, values in rows.items():
        lines += [f"        '{entity}': [", *(f"            {value}," for value in values), "        ],"]
    lines += ["    } -%}", "    {{- return(known[entity]) -}}", "{%- endmacro -%}", ""]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    escaped = _one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
