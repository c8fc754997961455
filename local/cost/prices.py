"""The price file: what a unit costs, who says so, and for which day."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lakehouse.errors import InputError

FILE = Path(__file__).parents[2] / "stacks" / "prices.json"


@dataclass(frozen=True)
class Price:
    """US dollars per unit. Unverified without a source, or without the date that the source speaks of."""

    usd: float
    unit: str
    source: str | None
    date: str | None

    @property
    def verified(self) -> bool:
        """Whether somebody says it, and when."""
        return bool(self.source and self.date)


@dataclass(frozen=True)
class PriceList:
    """Prices of one region by name, such as `kafka.m7g.large` or `s3 put`."""

    region: str
    prices: Mapping[str, Price]

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """InputError when the file is not there or not of this form."""
        try:
            data = json.loads(path.read_text("utf-8"))
            return cls(data["region"], {name: Price(**price) for name, price in data["prices"].items()})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is no price file: {error}") from error

    def of(self, name: str) -> Price:
        """The price; InputError when the file does not have it, because nothing is free by being forgotten."""
        try:
            return self.prices[name]
        except KeyError:
            raise InputError(f"no price of {name!r}: add it to stacks/prices.json, with its source") from None
