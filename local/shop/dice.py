"""Randomness that falls alike on every platform and Python: only `Random.random()`, only + - * / on floats.

`random.gauss`, `math.exp` and the sum of floats differ in the last bit between C libraries and Python versions,
and one bit is a different shop.
"""

import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")

_EXP_HALVINGS = 12  # (1 + x / 4096) ** 4096: within 0.1 % of e**x for the |x| < 3 drawn here


class Dice:
    """One stream of chance for one subject of one seed, so that a new subject leaves the others as they fell."""

    def __init__(self, seed: int, subject: str) -> None:
        self.share = random.Random(f"{seed}/{subject}").random

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        return int(self.share() * limit)

    def between(self, least: int, most: int) -> int:
        """A whole number from least to most, both included."""
        return least + int(self.share() * (most - least + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.share() < probability

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, all alike."""
        return choices[int(self.share() * len(choices))]

    def normal(self) -> float:
        """About normal with mean 0 and deviation 1: the sum of twelve shares, never beyond 6."""
        s = self.share
        return s() + s() + s() + s() + s() + s() + s() + s() + s() + s() + s() + s() - 6.0

    def spread(self, median: float, sigma: float) -> float:
        """About log-normal: half the draws lie below the median."""
        return median * _exp(sigma * self.normal())

    def pick_many(self, choices: Sequence[T], count: int) -> list[T]:
        """`count` different choices in drawn order; all of them when there are fewer."""
        left = list(choices)
        drawn: list[T] = []
        while left and len(drawn) < count:
            place = self.below(len(left))
            left[place], left[-1] = left[-1], left[place]
            drawn.append(left.pop())
        return drawn


@dataclass(frozen=True)
class Wheel(Generic[T]):
    """Choices that come up in proportion to whole-number weights."""

    choices: Sequence[T]
    ends: Sequence[int]

    @classmethod
    def of(cls, weighted: Iterable[tuple[T, int]]) -> "Wheel[T]":
        """A wheel of (choice, weight) pairs."""
        pairs = list(weighted)
        return cls([choice for choice, _ in pairs], list(accumulate(weight for _, weight in pairs)))

    def spin(self, dice: Dice) -> T:
        """One choice."""
        return self.choices[bisect_right(self.ends, dice.below(self.ends[-1]))]


def _exp(x: float) -> float:
    power = 1.0 + x / (1 << _EXP_HALVINGS)
    for _ in range(_EXP_HALVINGS):
        power *= power
    return power
