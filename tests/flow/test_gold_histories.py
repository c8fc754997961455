"""Gold by increments is Gold in full, for random histories: as compiled SQL, and a few through dbt itself."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.gold import query
from local.model import refresh_gold
from tests.builders.gold_history import History, a_history
from tests.builders.silver import SilverLake
from tests.compiled_gold import CompiledGold, compile_gold, require_equal
from tests.fakes.folder_store import FolderStore

# 60 here, and what takes longer beside the tests: `make gold-histories`.
BLOCKS, BLOCK = 3, 20
SEEDS_OF_DEFECTS = 200
BUCKET = "olist-data-lake-gold"
AT = datetime(2026, 11, 2, 13, tzinfo=UTC)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledGold:
    return compile_gold(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all histories: what dbt has parsed is used again, and what is kept is always of another history."""
    return tmp_path_factory.mktemp("model")


@pytest.mark.parametrize("block", range(BLOCKS))
def test_increments_equal_a_full_build(compiled: CompiledGold, block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        require_equal(compiled, a_history(seed))


def forgetting(compiled: CompiledGold, model: str, part: str) -> CompiledGold:
    """The same models, of which one does not look at what an increment has made of another."""
    steps = [
        step._replace(sql=re.sub(rf"\b(\w*{part}__after)\b", r"(from \1 limit 0)", step.sql))
        if step.model.name == model
        else step
        for step in compiled.increment
    ]
    assert steps != compiled.increment
    return replace(compiled, increment=steps)


@pytest.mark.parametrize(
    ("model", "part"),
    [("touched_orders", "order_items"), ("touched_sellers", "sellers"), ("touched_persons", "int_orders")],
)
def test_histories_find_what_an_increment_forgets(compiled: CompiledGold, model: str, part: str) -> None:
    broken = forgetting(compiled, model, part)
    assert any(broken.differing_tables(a_history(seed)) for seed in range(SEEDS_OF_DEFECTS))


def test_histories_that_fail_shrink_to_a_few_rows(compiled: CompiledGold) -> None:
    broken = forgetting(compiled, "touched_orders", "order_items")
    with pytest.raises(
        AssertionError, match=r"differ; the smallest such history:\nseed 1: \d builds"
    ) as failed:
        require_equal(broken, a_history(1))
    assert str(failed.value).count("\n  build ") <= 3


@pytest.mark.parametrize("seed", range(10_000, 10_010))
def test_increments_of_dbt_equal_a_full_build(
    compiled: CompiledGold, seed: int, tmp_path: Path, work_dir: Path
) -> None:
    history = a_history(seed, builds=2)
    in_full = compiled.tables_in_full(history)
    lake = SilverLake(tmp_path / "silver")
    for build in range(history.builds):
        arrive(lake, history, build)
        published = refresh_gold(
            lake.files, work_dir, FolderStore(tmp_path), BUCKET, f"{seed}-{build}", AT, lambda *_: None
        )
    assert published.previous == f"{seed}-0"
    for name in published.tables:
        assert sorted(query(tmp_path, BUCKET, f"from {name}").rows, key=repr) == in_full[name], history.told()


def arrive(lake: SilverLake, history: History, build: int) -> None:
    for entity in sorted({a.entity for a in history.arrivals if a.build == build}):
        rows = [a.row for a in history.arrivals if a.build == build and a.entity == entity]
        lake.add(entity, rows)
        lake.offset += 1  # names the next file; the rows have their positions
