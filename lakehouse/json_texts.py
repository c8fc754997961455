"""Arrow values of any type as JSON texts, each exactly what it was."""

import json
import math
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lakehouse.physical import Family, as_plain, family_of

# As JSON's own values; of all others the text that Arrow writes is the text of it.
_NATIVE = frozenset({Family.FLOATING, Family.BOOL, Family.BYTES, Family.NOTHING, Family.OTHER})


def json_texts(array: pa.Array) -> Sequence[str]:
    """JSON of every value; of nulls, whatever. pa.ArrowException, ValueError or RecursionError for what has none."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    family = family_of(array.type)
    if family is Family.TEXT:
        return list(map(quoted, as_plain(array).to_pylist()))
    if family is Family.WHOLE:
        return array.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    if family in _NATIVE:
        return list(map(_value, array.to_pylist()))
    return list(map(quoted, array.cast(pa.string()).to_pylist()))


def quoted(text: str | None) -> str:
    """A text with JSON's quotes and escapes."""
    return json.dumps(text, ensure_ascii=False)


def _value(value: Any) -> str:
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else quoted(str(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(str(k))}: {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bytes):
        return _bytes(value)
    return quoted(str(value))


def _bytes(value: bytes) -> str:
    try:
        return quoted(value.decode())
    except UnicodeDecodeError:
        return json.dumps({"base64": b64encode(value).decode()})
