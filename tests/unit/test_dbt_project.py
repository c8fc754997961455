"""The dbt project as text: SQL that both engines read, and descriptions; and what the contracts generate for it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from lakehouse.bronze import silver_schema
from lakehouse.catalog import load_entities
from lakehouse.compilers.dbt import model_files, silver_columns_macro, sources, sql_type, staging_models

PROJECT = Path(__file__).parents[2] / "dbt"
MODELS = sorted((PROJECT / "models").rglob("*.sql"))
SQL = sorted(p for p in PROJECT.rglob("*.sql") if "target" not in p.parts)
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
OF_ONE_ENGINE = re.compile(
    r"\{%-? macro (?:duckdb|athena)__.*?endmacro -?%\}"
    r"|\{%-? materialization \w+, adapter='duckdb'.*?endmaterialization -?%\}",
    re.DOTALL,
)

# Read by DuckDB, not by Athena; or, like anti join, read by both with another meaning.
BANNED = (
    r"::",
    r"//",
    r"\bqualify\b",
    r"\bilike\b",
    r"\bgroup by all\b",
    r"\border by all\b",
    r"\bexclude\b",
    r"\b(anti|semi|asof|positional) join\b",
    r"\bby name\b",
    r"\[",
    r"\{",
    r"\blimit\b",
)
# Each of them gives the same in both engines for the arguments used here.
FUNCTIONS = re.compile(
    "abs|asin|avg|cast|ceil|coalesce|cos|count|cume_dist|date_diff|date_trunc|decimal|extract|least|length|max|min|mod|nullif"
    "|power|radians|round|row_number|sin|sqrt|substr|sum"
)
NOT_FUNCTIONS = re.compile("as|and|or|on|in|exists|over|when|then|else|select|from|where|by|not|jinja")


def portable_part(path: Path) -> str:
    text = OF_ONE_ENGINE.sub("", path.read_text("utf-8"))
    text = JINJA.sub(" jinja ", text)
    return re.sub(r"--.*", "", text).lower()


def properties(kind: str) -> list[dict[str, Any]]:
    files = sorted(PROJECT.rglob("_*.yml"))
    return [entry for file in files for entry in yaml.safe_load(file.read_text("utf-8")).get(kind, [])]


@pytest.mark.parametrize("path", SQL, ids=lambda p: str(p.relative_to(PROJECT)))
def test_sql_is_what_both_engines_read(path: Path) -> None:
    text = portable_part(path)
    for banned in BANNED:
        assert not re.search(banned, text), f"{banned} is not for both engines"
    called = set(re.findall(r"\b([a-z_0-9]+)\s*\(", text))
    assert [
        name for name in called if not FUNCTIONS.fullmatch(name) and not NOT_FUNCTIONS.fullmatch(name)
    ] == []


def test_models_are_all_described_up_to_the_grain() -> None:
    described = {model["name"]: model for model in properties("models")}
    assert sorted(described) == sorted(path.stem for path in MODELS)
    for name, model in described.items():
        assert re.search(r"Grain: one row per .*\.$", model["description"]), name
        for column in model["columns"]:
            assert column["description"].endswith("."), f"{name}.{column['name']}"


def test_models_have_a_tested_key_wherever_there_is_one() -> None:
    """Staging models select from current tables, whose keys are tested; a unit that is touched twice is touched."""
    for model in properties("models"):
        tests = [name for test in model.get("data_tests", ()) for name in test]
        keyless = model["name"] == "current_geolocation" or model["name"].startswith(("stg_", "touched_"))
        assert ("is_key" in tests) == (not keyless), model["name"]


def test_findings_are_described_and_only_warn() -> None:
    described = {test["name"]: test for test in properties("data_tests")}
    assert sorted(described) == sorted(path.stem for path in (PROJECT / "tests/findings").glob("*.sql"))
    for test in described.values():
        assert test["config"] == {"severity": "warn"}
        assert test["description"].endswith(".")


def test_generated_macro_types_every_silver_column_but_lists() -> None:
    entities = load_entities()
    text = silver_columns_macro(entities.values())
    block = text[text.index("'order_items': [") : text.index("'orders': [")]
    found = re.findall(r"\('(\w+)', '([^']+)'\)", block)
    expected = [f.name for f in silver_schema(entities["order_items"]) if f.name != "warnings"]
    assert [name for name, _ in found] == expected
    assert dict(found)["price"] == "decimal(10, 2)"
    assert dict(found)["order_item_id"] == "bigint"
    assert dict(found)["shipping_limit_date"] == "timestamp"


def test_generated_files_hold_one_model_per_entity() -> None:
    files = model_files(load_entities().values())
    for name in load_entities():
        assert files[f"models/staging/generated/stg_{name}.sql"] == f"{{{{ live_rows('{name}') }}}}\n"
        current = files[f"models/current/generated/current_{name}.sql"]
        assert current.endswith(f"{{{{ current_versions('{name}') }}}}\n")
    assert "unit='order_id'" in files["models/current/generated/current_order_items.sql"]
    assert "unit='pos_log'" in files["models/current/generated/current_geolocation.sql"]
    for path, text in files.items():
        assert (PROJECT / path).read_text("utf-8") == text, "run `make generate`"


def test_generated_files_do_not_depend_on_the_order_of_entities() -> None:
    entities = list(load_entities().values())
    assert model_files(entities) == model_files(entities[::-1])


def test_generated_descriptions_survive_any_text() -> None:
    text = 'He said "no": #1\\2?\nAnd more'
    entity = replace(load_entities()["sellers"], description=text)
    [source] = yaml.safe_load(sources([entity]))["sources"]
    assert source["tables"][0]["description"].startswith('He said "no": #1\\2')
    [model] = yaml.safe_load(staging_models([entity]))["models"]
    assert model["description"].startswith('He said "no": #1\\2')


def test_generated_types_fail_loudly_on_what_sql_lacks() -> None:
    with pytest.raises(TypeError, match="has no SQL type"):
        sql_type(pa.binary())
    assert sql_type(pa.list_(pa.string())) is None
