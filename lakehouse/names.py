"""Names of columns as people mistake them: in capitals, in other letters that look the same, misspelt."""

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

# Athena and Glue take no longer one.
MAX_NAME = 255
# How alike two names must be to be taken for one, and how alike what differs in them: `product_name_length` for
# `product_name_lenght` is (0.95, 0.83), `cust_city` for `customer_city` (0.8, 0.67); `seller_country` for `seller_city`
# only (0.78, 0.55), as what they share is the first word. One that is the other with a word more needs less: `price`
# for `item_price` is 0.71.
_ALIKE, _REST_ALIKE, _WORD_MORE = 0.75, 0.6, 0.6


def folded(name: str) -> str:
    """What two names have in common that differ only in capitals, blanks around them, or in how letters are coded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())


def collisions(names: Iterable[str]) -> list[list[str]]:
    """Names that stand twice, or that only `folded` makes the same; Athena knows no difference between them."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(folded(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def lookalike(name: str, others: Sequence[str]) -> str | None:
    """The one of the others that was most likely meant by the name; None when none comes near."""
    best, most = None, 0.0
    for other in others:
        alike = _likeness(name, other)
        if alike > most:
            best, most = other, alike
    return best


def _likeness(name: str, other: str) -> float:
    """0 for names that mean different things."""
    whole = _share(_letters(name), _letters(other))
    if whole < _WORD_MORE:
        return 0.0
    ours, theirs = folded(name).split("_"), folded(other).split("_")
    while ours and theirs and ours[0] == theirs[0]:
        ours, theirs = ours[1:], theirs[1:]
    while ours and theirs and ours[-1] == theirs[-1]:
        ours, theirs = ours[:-1], theirs[:-1]
    if not ours or not theirs:
        return whole
    if whole < _ALIKE:
        return 0.0
    rest = _share(_letters("".join(ours)), _letters("".join(theirs)))
    return whole if rest >= _REST_ALIKE else 0.0


def _share(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return 0.0 if matcher.real_quick_ratio() < _REST_ALIKE else matcher.ratio()


def name_problem(name: str) -> str | None:
    """Why nothing can be called by this name; None when it can."""
    if not name.strip():
        return "a column has no name"
    if len(name) > MAX_NAME:
        return f"column {name[:40]}... has a name of {len(name)} characters; {MAX_NAME} are the most"
    if not name.isprintable():
        return f"column {name!a} has signs in its name that cannot be printed"
    return None


def _letters(name: str) -> str:
    return "".join(letter for letter in folded(name) if letter.isalnum())
