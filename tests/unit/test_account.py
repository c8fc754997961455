"""Which revisions of an object count, told from footers alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from lakehouse.account import FoundRevision, settle
from lakehouse.balance import Amount
from lakehouse.footer import OutputFooter
from tests.builders.bronze import NOON, a_bronze_object

OBJECT = a_bronze_object()  # ten rows
WHOLE = Amount(OBJECT.rows, OBJECT.hash_sum)


def a_footer(revision: int, held: int = 0, follows: int | None = None, of: Amount = WHOLE) -> OutputFooter:
    """Of the rows `of`, the last `held` went to Quarantine; their hashes sum to 7 each."""
    quarantine = Amount(held, 7 * held)
    return OutputFooter(
        bronze=OBJECT,
        bronze_etag="e1",
        bronze_size=1000,
        revision=revision,
        contract_version="1.0.0",
        rules_hash="a" * 16,
        silver_key=OBJECT.key.silver(1, revision),
        silver=of - quarantine,
        quarantine_key=OBJECT.key.quarantine(1, revision) if held else "",
        quarantine=quarantine,
        reasons={},
        warnings={},
        follows=follows,
    )


def found(revision: int, minute: int | None = None, whole: bool = True, **footer: Any) -> FoundRevision:
    """A revision written so many minutes after noon (as many as its number)."""
    at = NOON + timedelta(minutes=revision if minute is None else minute)
    return FoundRevision(revision, a_footer(revision, **footer), whole, at)


def damaged(revision: int) -> FoundRevision:
    """A revision none of whose files can be read."""
    return FoundRevision(revision, None, False, NOON)


# what is found → (committed, unfinished, in doubt)
CASES: Sequence[tuple[str, list[FoundRevision], tuple[tuple[int, ...], int | None, bool]]] = [
    ("nothing was written", [], ((), 0, False)),
    ("one check", [found(0, held=3)], ((0,), None, False)),
    ("a check cut off after Quarantine", [found(0, whole=False, held=3)], ((), 0, False)),
    ("rules changed: the former check is abandoned", [found(0), found(1, held=2)], ((1,), None, False)),
    ("rules changed, the new check cut off", [found(0), found(1, whole=False, held=1)], ((), 1, False)),
    ("a check whose files are damaged", [damaged(0)], ((), 1, True)),
    ("a check that lost a row", [found(0, of=WHOLE - Amount(1, 5))], ((), 1, True)),
    ("a loss and a double that cancel", [found(0, of=WHOLE + Amount(0, 5))], ((), 1, True)),
    (
        "a replay of the three that were held",
        [found(0, held=3), found(1, held=1, follows=0, of=Amount(3, 21))],
        ((0, 1), None, False),
    ),
    (
        "a replay after a replay",
        [
            found(0, held=3),
            found(1, held=2, follows=0, of=Amount(3, 21)),
            found(2, follows=1, of=Amount(2, 14)),
        ],
        ((0, 1, 2), None, False),
    ),
    (
        "a replay abandoned, another begun on the same check",
        [
            found(0, held=3),
            found(1, held=2, follows=0, of=Amount(3, 21)),
            found(2, held=1, follows=0, of=Amount(3, 21)),
        ],
        ((0, 2), None, False),
    ),
    (
        "a replay under way",
        [found(0, held=3), found(1, whole=False, held=1, follows=0, of=Amount(3, 21))],
        ((0,), 1, False),
    ),
    (
        "a replay of rows all of which were held",
        [found(0, held=10, of=WHOLE), found(1, follows=0, of=Amount(10, 70))],
        ((0, 1), None, False),
    ),
    (
        "a replay whose check is gone",
        [found(1, held=1, follows=0, of=Amount(3, 21))],
        ((), 2, True),
    ),
    ("an abandoned check written after the newer one", [found(0, minute=9), found(1)], ((), 2, True)),
    (
        "the same, but Gold was made of the older one",
        [replace(found(0, minute=9), published=True), found(1)],
        ((0,), None, False),
    ),
    (
        "Gold was made of a check; a newer one was begun by another ledger",
        [replace(found(0), published=True), found(1, whole=False, held=1)],
        ((0,), None, False),
    ),
]


def settled(revisions: Sequence[FoundRevision]) -> tuple[tuple[int, ...], int | None, bool]:
    account = settle(OBJECT, "e1", 1000, NOON, revisions)
    return account.committed, account.unfinished, bool(account.doubt)


@pytest.mark.parametrize(("revisions", "wanted"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_account_settles(revisions: list[FoundRevision], wanted: object) -> None:
    assert {settled(order) for order in permutations(revisions)} == {wanted}


def test_account_of_a_footer_that_follows_itself_ends() -> None:
    assert settled([found(1, follows=1)]) == ((), 2, True)
