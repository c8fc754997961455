"""The grammars of values and date formats as regular expressions over the whole text, for engines that cannot parse.

Written in what Python, RE2 and Java read alike: no anchors, no look-around, no \\d.
"""

import re
from collections.abc import Iterator

from lakehouse.catalog import Kind

# Without its last condition: the number must be finite.
DOUBLE = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_INT64_MAX = "9223372036854775807"
_INT64_MIN = "9223372036854775808"  # without its sign

# Years 1 to 9999, and those of them with a 29th of February.
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
# Month, day and year that stand together in a date.
_DATES = (
    ("(?:0[1-9]|1[0-2])", "(?:0[1-9]|1[0-9]|2[0-8])", _YEAR),
    ("(?:0[13-9]|1[0-2])", "(?:29|30)", _YEAR),
    ("(?:0[13578]|1[02])", "31", _YEAR),
    ("02", "29", _LEAP),
)
_DAY = f"(?:{'|'.join(f'{year}-{month}-{day}' for month, day, year in _DATES)})"
_CLOCK = {"H": "(?:[01][0-9]|2[0-3])", "M": "[0-5][0-9]", "S": "[0-5][0-9]", "f": "[0-9]{6}"}
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"


def grammar_pattern(kind: Kind, precision: int = 0, scale: int = 0) -> str | None:
    """The texts that `parse_value` reads. None where no expression says it: text is all, a double must be finite."""
    match kind:
        case Kind.INT64:
            return f"(?:{_up_to(_INT64_MAX)}|-(?:{_up_to(_INT64_MIN)}))"
        case Kind.DECIMAL:
            whole = precision - scale
            digits = "0" if whole == 0 else f"(?:0|[1-9][0-9]{{0,{whole - 1}}})"
            return f"-?{digits}" + (rf"(?:\.[0-9]{{1,{scale}}})?" if scale else "")
        case Kind.TIMESTAMP:
            return f"{_DAY} {_TIME}"
        case Kind.TEXT | Kind.DOUBLE:
            return None


def format_pattern(text: str) -> str:
    """The texts that the rule kind `format` takes: full-width digits, a day that its month can have."""
    parts = re.findall(r"(?s)%(.)|([^%])", text)
    named = {directive for directive, _ in parts}
    # Without a month a day is any, without a year it may be the 29th of February.
    if not {"m", "d"} <= named:
        dates: tuple[tuple[str, str, str], ...] = (
            ("(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])", _YEAR),
        )
    else:
        dates = _DATES
    whole = []
    for month, day, year in dates:
        digits = {"Y": year, "m": month, "d": day, **_CLOCK}
        whole.append(
            "".join(digits.get(directive) or re.escape(literal or "%") for directive, literal in parts)
        )
    return "|".join(whole)


def _up_to(most: str) -> str:
    """Whole numbers from 0 to `most`, without leading zeros."""
    return "|".join(["0", f"[1-9][0-9]{{0,{len(most) - 2}}}", *_as_long_as(most)])


def _as_long_as(most: str) -> Iterator[str]:
    """Numbers of as many digits as `most`, up to it: equal in front, then lower by one digit, then any."""
    for place, digit in enumerate(most):
        lowest = 1 if place == 0 else 0
        if int(digit) > lowest:
            rest = len(most) - place - 1
            lower = f"[{lowest}-{int(digit) - 1}]"
            yield f"{most[:place]}{lower}" + (f"[0-9]{{{rest}}}" if rest else "")
    yield most
