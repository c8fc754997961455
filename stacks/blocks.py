"""Reads a block of JSON into a frozen dataclass. A message names the key, what is wrong and what is allowed."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from re import fullmatch
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from lakehouse.errors import SettingsError

_Block = TypeVar("_Block")
_NAMES: Mapping[Any, str] = {str: "text", int: "a whole number", bool: "true or false"}


def read_block(kind: type[_Block], block: Any, place: str) -> _Block:
    """The dataclass `kind` from a JSON object; every field is a key of it, and there are no other keys.

    A field's metadata may hold `pattern` (the whole text), `least` and `most` (numbers), `meaning` (for messages).
    Raises SettingsError.
    """
    if not isinstance(block, Mapping):
        raise SettingsError(f"{place} is {_shown(block)}: give a block with the keys {_listed(_keys(kind))}")
    known = _keys(kind)
    for key in block:
        if key not in known:
            raise SettingsError(f"{place}.{key} is not known: allowed here are {_listed(known)}")
    types_of = get_type_hints(kind)
    values = {}
    for name, field in known.items():
        if name in block:
            values[name] = _value(types_of[name], field, block[name], f"{place}.{name}")
        elif field.default is MISSING:
            raise SettingsError(f"{place}.{name} is missing: give {_allowed(types_of[name], field)}")
    return kind(**values)


def _keys(kind: Any) -> dict[str, Field[Any]]:
    return {field.name: field for field in fields(kind) if field.init}


def _value(kind: Any, field: Field[Any], value: Any, place: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return read_block(kind, value, place)
    if get_origin(kind) is tuple:
        return _texts(field, value, place)
    if not _fits(kind, field, value):
        raise SettingsError(f"{place} is {_shown(value)}: give {_allowed(kind, field)}")
    return value


def _texts(field: Field[Any], value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise SettingsError(f"{place} is {_shown(value)}: give a list, each {_allowed(str, field)}")
    for number, text in enumerate(value):
        if not _fits(str, field, text):
            raise SettingsError(f"{place}[{number}] is {_shown(text)}: give {_allowed(str, field)}")
    return tuple(value)


def _fits(kind: Any, field: Field[Any], value: Any) -> bool:
    if get_origin(kind) is Literal:
        return any(value == allowed and type(value) is type(allowed) for allowed in get_args(kind))
    if type(value) is not kind:  # exact: JSON's true must not pass for the number 1
        return False
    if kind is int:
        return bool(field.metadata.get("least", value) <= value <= field.metadata.get("most", value))
    return kind is not str or fullmatch(field.metadata.get("pattern", "(?s).*"), value) is not None


def _allowed(kind: Any, field: Field[Any]) -> str:
    if is_dataclass(kind):
        return f"a block with the keys {_listed(_keys(kind))}"
    if get_origin(kind) is Literal:
        return " or ".join(str(value) for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list, each {_allowed(str, field)}"
    limits = field.metadata
    said = str(limits.get("meaning", _NAMES[kind]))
    if "least" in limits or "most" in limits:
        said += f" ({limits.get('least', '')} to {limits.get('most', 'any')})"
    return said


def _listed(known: Mapping[str, object]) -> str:
    return ", ".join(known)


def _shown(value: object) -> str:
    return f"{value!r}" if not isinstance(value, types.NoneType) else "empty"
