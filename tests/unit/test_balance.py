"""The balance's arithmetic: what cancels in the count does not in the sum, and an open row is never closed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.balance import Amount, Balance, PositionBalance

amounts = st.builds(Amount, st.integers(0, 10**12), st.integers(0, 2**64 - 1))
PLACES = ["silver", "quarantine", "erased", "unchecked"]


@st.composite
def balanced(draw: st.DrawFn) -> Balance:
    parts = [draw(amounts) for _ in PLACES]
    return Balance(sum(parts, Amount()), *parts)


@given(amounts, amounts)
def test_amounts_wrap_at_64_bits_and_subtract_back(one: Amount, other: Amount) -> None:
    total = one + other
    assert 0 <= total.hash_sum < 2**64
    assert total - other == one


@given(balanced(), balanced())
def test_balances_add_up(one: Balance, other: Balance) -> None:
    assert (one + other).difference == Amount()
    assert (one + other).closed == (one.unchecked + other.unchecked == Amount())


@given(balanced(), st.sampled_from(PLACES), st.integers(1, 2**64 - 1))
def test_balance_sees_a_loss_and_a_double_that_cancel_in_the_count(
    balance: Balance, place: str, amount: int
) -> None:
    other = replace(balance, **{place: getattr(balance, place) + Amount(0, amount)})
    assert other.difference.rows == 0
    assert other.difference != Amount()
    assert not other.closed


@pytest.mark.parametrize("place", PLACES[:3])
def test_balance_is_closed_wherever_the_rows_are(place: str) -> None:
    whole = Amount(5, 9)
    assert Balance(whole, **{place: whole}).closed


@pytest.mark.parametrize(
    "balance",
    [
        Balance(Amount(5, 9), unchecked=Amount(5, 9)),
        Balance(Amount(5, 9), silver=Amount(4, 9)),
        Balance(Amount(5, 9), silver=Amount(5, 8)),
        Balance(Amount(0, 0), silver=Amount(1, 0)),
    ],
)
def test_balance_is_not_closed_while_anything_is_open(balance: Balance) -> None:
    assert not balance.closed


def test_positions_leave_what_nobody_accounts_for() -> None:
    found = PositionBalance("emb-1", "orders.v1", 0, "orders", start=5, end=20, landed=10, void=2)
    assert found.unlanded == 3
