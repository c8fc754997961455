"""The generated tests of dbt on DuckDB as an engine of the differential test: compiled once for many contracts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from lakehouse.compilers.dbt import sources
from lakehouse.compilers.dbt_tests import translate
from lakehouse.compilers.targets import NotExpressible, concerns, fields_of
from local.dbt_build import PROJECT, cleaned_up
from tests.differential.expectations_engine import Found
from tests.differential.silver import ROW, TABLE, Stacked

_PROJECT = "name: made\nprofile: made\nmodel-paths: [models]\nflags: {require_generic_test_arguments_property: true}\n"
_OF_EVENTS = "says_one_thing"  # what no rule says, as it is about several rows of one event
_PROFILE = "made: {target: up, outputs: {up: {type: duckdb, path: ':memory:', threads: 1}}}\n"


def compiled_tests(made: Sequence[Stacked], folder: Path) -> Mapping[str, str]:
    """By name the SQL of every test that the rules of these contracts became; `folder` takes the project."""
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(_PROJECT)
    (folder / "profiles.yml").write_text(_PROFILE)
    (folder / "packages.yml").write_text((PROJECT / "packages.yml").read_text())
    (folder / "packages").symlink_to(PROJECT / "packages")
    (folder / "dbt_packages").symlink_to(PROJECT / "dbt_packages")
    (folder / "tests").mkdir()
    (folder / "tests" / "generic").symlink_to(PROJECT / "tests" / "generic")
    entities = [replace(one.entity, name=_name(number)) for number, one in enumerate(made)]
    (folder / "models" / "_sources.yml").write_text(sources(entities), "utf-8")
    from dbt.cli.main import dbtRunner

    arguments = ["compile", "--project-dir", str(folder), "--profiles-dir", str(folder)]
    arguments += ["--log-level", "none", "--log-level-file", "none", "--quiet", "--no-write-json"]
    arguments += ["--no-populate-cache", "--no-introspect", "--no-send-anonymous-usage-stats"]
    with cleaned_up():
        answer = dbtRunner().invoke([*arguments, "--target-path", str(folder / "target")])
        if not answer.success:
            raise AssertionError(f"dbt did not compile: {answer.exception or answer.result}")
        return {
            result.node.name: result.node.compiled_code
            for result in answer.result.results
            if result.node.resource_type == "test" and result.node.test_metadata.name != _OF_EVENTS
        }


def dbt_answers(made: Sequence[Stacked], folder: Path) -> Iterator[Found]:
    """Of each contract in turn."""
    tests = compiled_tests(made, folder)
    used = set[str]()
    with _database() as database:
        for number, one in enumerate(made):
            name = _name(number)
            rows = one.typed
            database.register("rows", rows)
            database.execute(f"create or replace table silver.{name} as select * from rows")
            found: dict[str, set[tuple[int, int]]] = {}
            for concern in concerns(one.entity):
                if isinstance(translate(concern, fields_of(one.entity)), NotExpressible):
                    continue
                mine = [
                    t
                    for t in tests
                    if t == f"{name}__{concern.rule.id}" or _numbered(t, name, concern.rule.id)
                ]
                assert mine, f"no test of {concern.rule}"
                used |= set(mine)
                found[concern.rule.id] = set()
                for test in mine:
                    query = f"select {TABLE}, {ROW} from ({tests[test]})"
                    try:
                        found[concern.rule.id] |= set(database.execute(query).fetchall())
                    except duckdb.Error as error:
                        raise AssertionError(
                            f"{json.dumps(dict(concern.rule.args))} {query}: {error}"
                        ) from error
            yield found
    assert used == set(tests)


def _numbered(test: str, name: str, rule: str) -> bool:
    start, _, number = test.rpartition("__")
    return start == f"{name}__{rule}" and number.isdecimal()


def _name(number: int) -> str:
    return f"made_{number}"


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:", config={"autoinstall_known_extensions": False, "threads": 1}) as database:
        database.execute("create schema silver")
        yield database
