"""The example of a custom kind: zip codes of Brazilian states."""

from itertools import pairwise

import pytest

from lakehouse.errors import ContractError
from lakehouse.rules.custom.zip_of_state import RANGES
from tests.builders.rows import a_row
from tests.differential.contracts import an_entity_with
from tests.differential.engines import ENGINES
from tests.unit.test_object_facts import a_load

RULE = {"rule": "zip_of_state", "column": "word", "state": "other_word"}


@pytest.mark.parametrize("engine", ["plan", "oracle"])
def test_zip_lies_within_the_ranges_of_its_state_ends_included(engine: str) -> None:
    entity = an_entity_with(RULE)
    ends = [(state, end) for state, ranges in RANGES.items() for both in ranges for end in both]
    inside = [{"word": f"{end:05}", "other_word": state} for state, end in ends]
    outside = [{"word": "00999", "other_word": state} for state in RANGES]
    [answer] = ENGINES[engine](entity, [a_load(entity, [*inside, *outside])])
    assert set(answer["the_rule"]) == set(range(len(inside), len(inside) + len(outside)))


def test_ranges_do_not_overlap() -> None:
    ordered = sorted(both for ranges in RANGES.values() for both in ranges)
    assert all(high < low for (_, high), (low, _) in pairwise(ordered))


def test_shop_of_the_examples_lies_in_its_state() -> None:
    customer = a_row("customers")
    [(low, high)] = RANGES[customer["customer_state"]]
    assert low <= int(customer["customer_zip_code_prefix"]) <= high


def test_state_must_be_a_column_of_text() -> None:
    with pytest.raises(ContractError, match="two letters"):
        an_entity_with(RULE | {"state": "whole"})
