"""Plan, oracle, Great Expectations and dbt agree on three hundred made-up tables; `make differential` has more.

One process and one dbt project for all, in one test: the imports alone take Great Expectations 7 s of CPU.
"""

import pytest

from lakehouse.compilers.expectation_kinds import SAYINGS
from tests.differential.contracts import a_contract_of
from tests.differential.expectations_engine import silver_answers
from tests.differential.silver import stacked
from tests.differential.slow_engines import compare

CONTRACTS, TABLES = range(10), 30


@pytest.mark.timeout(900)  # 35 s of CPU, on a machine that may be busy
def test_engines_agree_on_made_up_tables_of_many_contracts() -> None:
    """A line of what differs names contract, table and row."""
    tally = compare(CONTRACTS, TABLES)
    assert not tally.differences, "\n".join(tally.differences)
    # Else agreement would mean nothing: each engine has said many rules, of which many rows were broken.
    for engine in ("plan", "Great Expectations", "Great Expectations over text", "dbt"):
        assert tally.answers[engine] > 100, engine
        assert tally.broken[engine] > 3_000, engine
    kinds = {rule.kind for contract in CONTRACTS for rule in a_contract_of(contract).rules}
    assert kinds >= set(SAYINGS)


def test_difference_is_seen() -> None:
    """The same answers about tables of other values."""
    entity = a_contract_of(1)
    one, other = (stacked(entity, [seed, seed + 1], readable=True) for seed in (1000, 2000))
    assert silver_answers(one) != silver_answers(other)
