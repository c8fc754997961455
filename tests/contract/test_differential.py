"""Plan and oracle agree on two thousand made-up tables of a hundred made-up contracts; `make differential` has more."""

import pytest

from lakehouse.rules.registry import KINDS
from tests.differential.__main__ import compare
from tests.differential.contracts import a_contract_of
from tests.differential.engines import differences, oracle_answers, plan_answers
from tests.differential.tables import a_table

CONTRACTS = 100


@pytest.mark.parametrize("first", range(0, CONTRACTS, 10))
def test_plan_and_oracle_agree_on_made_up_tables(first: int) -> None:
    """A line of what differs names the seeds: `compare("plan", contract)` shows it again."""
    told = [line for contract in range(first, first + 10) for line in compare("plan", contract)]
    assert not told, "\n".join(told)


def test_made_up_tables_break_every_kind_of_rule_and_keep_it() -> None:
    """Else agreement would mean nothing."""
    broken, kept = set(), set()
    for contract in range(16):
        entity = a_contract_of(contract)
        tables = [a_table(entity, seed) for seed in range(8)]
        answers = list(zip(tables, plan_answers(entity, tables), strict=True))
        for rule in entity.rules:
            broken |= {rule.kind for _, answer in answers if answer[rule.id]}
            kept |= {rule.kind for table, answer in answers if len(answer[rule.id]) < len(table)}
    assert broken == kept == set(KINDS)


def test_differences_are_told() -> None:
    entity = a_contract_of(1)
    table = a_table(entity, 1000)
    [oracle] = oracle_answers(entity, [table])
    rule = entity.rules[-1].id
    assert [line.split()[0] for line in differences(entity, {rule: {*oracle[rule], -1}}, oracle)] == [rule]
