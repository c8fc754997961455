"""The strict grammars of values that travel as text; one value at a time, the reference for faster kernels.

integer    -?(0|[1-9][0-9]*)                         within 64 bits, no plus, no leading zeros
decimal    integer[.digits]                          at most `scale` decimals, `precision` digits; never rounded
double     decimal with an optional exponent         finite
timestamp  YYYY-MM-DD HH:MM:SS[.f{1,6}]              a real calendar moment of the years 1 to 9999, no zone
"""

import re
from datetime import datetime
from decimal import Decimal
from math import isfinite

from lakehouse.catalog import Kind

Value = str | int | Decimal | float | datetime

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?", re.ASCII)
_DOUBLE = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
# 24:00 is refused here: Python from 3.14 on would take it for the next midnight
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2} (?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,6})?", re.ASCII)


def parse_value(kind: Kind, text: str, precision: int = 0, scale: int = 0) -> Value | None:
    """The value of a text, or None when the grammar of its kind refuses it. Never rounds, never guesses."""
    match kind:
        case Kind.TEXT:
            return text
        case Kind.INT64:
            return _integer(text)
        case Kind.DECIMAL:
            return _decimal(text, precision, scale)
        case Kind.DOUBLE:
            number = float(text) if _DOUBLE.fullmatch(text) else float("nan")
            return number if isfinite(number) else None
        case Kind.TIMESTAMP:
            return _timestamp(text)


def _integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text) or len(text) > 20:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _decimal(text: str, precision: int, scale: int) -> Decimal | None:
    found = _DECIMAL.fullmatch(text)
    if found is None or len(found[2] or "") > scale:
        return None
    if found[1] != "0" and len(found[1]) > precision - scale:
        return None
    return Decimal(text)


def _timestamp(text: str) -> datetime | None:
    if not _TIMESTAMP.fullmatch(text) or text[11:13] > "23":  # some Pythons read 24:00:00 as the next day
        return None
    try:
        return datetime.fromisoformat(text if len(text) == 19 else text.ljust(26, "0"))
    except ValueError:
        return None
