"""Gold by increments is Gold in full, for random histories: as compiled SQL, and a few through dbt itself."""


import pytest

from tests.builders.gold_history import History, a_history
from tests.compiled_gold import CompiledGold, compile_gold, shrunk

BLOCKS, BLOCK = 10, 20


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledGold:
    return compile_gold(tmp_path_factory.mktemp("compiled"))


def require_equal(compiled: CompiledGold, history: History) -> None:
    differing = compiled.differing_tables(history)
    if differing:
        smallest = shrunk(history, lambda smaller: bool(compiled.differing_tables(smaller)))
        raise AssertionError(f"{differing} differ; the smallest such history:\n{smallest.told()}")


@pytest.mark.parametrize("block", range(BLOCKS))
def test_increments_equal_a_full_build(compiled: CompiledGold, block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        require_equal(compiled, a_history(seed))
