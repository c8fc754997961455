"""A value inside a document together with where it stands, so that every complaint can name its place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from lakehouse.errors import ContractError


@dataclass(frozen=True)
class Place:
    """`path` reads like `schema[0].properties[3].logicalType`."""

    file: str
    path: str
    value: Any

    def fail(self, problem: str, remedy: str) -> NoReturn:
        """Raises the ContractError of this place."""
        raise ContractError(self.file, self.path or "file", problem, remedy)

    def get(self, key: str, default: Any = None) -> Any:
        """The plain value under a key, or the default."""
        return self._mapping().get(key, default)

    def at(self, key: str) -> "Place":
        """The value under a key that must be there."""
        path = f"{self.path}.{key}" if self.path else key
        if key not in self._mapping():
            Place(self.file, path, None).fail("is missing", "Add it.")
        return Place(self.file, path, self.value[key])

    def only(self, allowed: str) -> None:
        """Refuses keys that nothing would read: a misspelt key must not be a rule that never runs."""
        known = allowed.split()
        for key in self._mapping():
            if key not in known:
                place = Place(self.file, f"{self.path}.{key}" if self.path else str(key), None)
                place.fail("is not a key read here", f"Use one of: {', '.join(known)}.")

    def items(self) -> Iterator["Place"]:
        """The members of a list."""
        if not isinstance(self.value, list):
            self.fail("is not a list", "Write a list.")
        for index, value in enumerate(self.value):
            yield Place(self.file, f"{self.path}[{index}]", value)

    def text(self, pattern: str = r"(?s).*\S.*", what: str = "a text") -> str:
        """The text here, when the pattern matches the whole of it."""
        if not isinstance(self.value, str) or not re.fullmatch(pattern, self.value):
            self.fail(f"is {self.value!r}", f"Write {what}.")
        return self.value.strip()

    def integer(self, least: int, most: int) -> int:
        """The whole number here, within bounds."""
        if type(self.value) is not int or not least <= self.value <= most:
            self.fail(f"is {self.value!r}", f"Write a whole number from {least} to {most}.")
        return int(self.value)

    def flag(self, key: str) -> bool:
        """The true or false under a key; false when it is not there. A text is neither."""
        if key not in self._mapping():
            return False
        place = self.at(key)
        if not isinstance(place.value, bool):
            place.fail(f"is {place.value!r}", "Write true or false, without quotes.")
        return bool(place.value)

    def one_of(self, allowed: Sequence[str]) -> str:
        """The text here, when it is one of these."""
        if self.value not in allowed:
            self.fail(f"is {self.value!r}", f"Write one of: {', '.join(allowed)}.")
        return str(self.value)

    def properties(self, names: set[str]) -> Mapping[str, "Place"]:
        """ODCS customProperties as a mapping; exactly these names."""
        found: dict[str, Place] = {}
        for item in self.items():
            item.only("property value description")
            found[item.at("property").one_of(sorted(names))] = item.at("value")
        for name in names - found.keys():
            self.fail(f"lacks {name}", f"Add `- property: {name}` with its value.")
        return found

    def _mapping(self) -> Mapping[str, Any]:
        if not isinstance(self.value, dict):
            self.fail("is not a mapping", "Write keys and values.")
        return self.value
