"""The shop's clock: civil time without zone, read as UTC-03:00 (Brasilia; Olist's files name no zone)."""

from datetime import datetime, timedelta

from lakehouse.catalog import Kind
from lakehouse.grammar import parse_value

_BEHIND_UTC = timedelta(hours=3)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - civil time has no zone
_MICROSECOND = timedelta(microseconds=1)

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC of a moment in the shop's time."""
    return (moment + _BEHIND_UTC - _EPOCH) // _MICROSECOND


def read_moment(text: str) -> int | None:
    """Microseconds since 1970 UTC of a text in the lake's strict grammar; None for any other text."""
    moment = parse_value(Kind.TIMESTAMP, text)
    return microseconds(moment) if isinstance(moment, datetime) else None
