"""Numbers as people read them."""

from decimal import Decimal


def count(number: int) -> str:
    """1,234,567."""
    return f"{number:,}"


def rows(number: int, one: str = "row", many: str = "") -> str:
    """1 row, 2 rows."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def money(reais: str) -> str:
    """1,234.50, exact."""
    return f"{Decimal(reais):,.2f}"


def short(number: float) -> str:
    """1.23 M, 45.6 k, 789: three digits at most."""
    for size, sign in ((1_000_000, " M"), (1_000, " k")):
        if abs(number) >= size:
            value = number / size
            return f"{value:.0f}{sign}" if value >= 100 else f"{value:.3g}{sign}"
    return f"{number:,.0f}"


def percent(fraction: float, digits: int = 1) -> str:
    """12.3%."""
    return f"{fraction * 100:.{digits}f}%"


def hexadecimal(hash_sum: int) -> str:
    """The 16 hex digits of a sum mod 2^64."""
    return f"{hash_sum:016x}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_name(event_month: str) -> str:
    """Nov 2017, of 2017-11; any other text as it is."""
    year, _, number = event_month.partition("-")
    if not number.isdigit() or not 1 <= int(number) <= 12:
        return event_month
    return f"{_MONTHS[int(number) - 1]} {year}"
