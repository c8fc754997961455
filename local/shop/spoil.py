"""Ways to spoil a row: each takes a table, a record and a column and writes what went wrong."""

from collections.abc import Callable

from local.shop.tables import Table

Spoil = Callable[[Table, int, str], None]


def becomes(*values: str) -> Spoil:
    """The cell becomes one of these values, in turn by record."""

    def spoil(table: Table, record: int, column: str) -> None:
        table.put(record, column, values[record % len(values)])

    return spoil


def changes(change: Callable[[str], str]) -> Spoil:
    """The cell is rewritten."""

    def spoil(table: Table, record: int, column: str) -> None:
        table.put(record, column, change(table.cell(record, column)))

    return spoil


def takes_from(other: str, change: Callable[[str], str]) -> Spoil:
    """The cell is made from another cell of the row."""

    def spoil(table: Table, record: int, column: str) -> None:
        table.put(record, column, change(table.cell(record, other)))

    return spoil


def both(*spoils: tuple[str, Spoil]) -> Spoil:
    """Several cells go wrong in one row."""

    def spoil(table: Table, record: int, column: str) -> None:
        for each, change in spoils:
            change(table, record, each)

    return spoil


def loses_last_cell(table: Table, record: int, column: str) -> None:
    """The record is one cell short."""
    table.rows[record].pop()


def splits_at_comma(table: Table, record: int, column: str) -> None:
    """A comma that should be quoted makes one cell into two."""
    row = table.rows[record]
    place = table.form.columns.index(column)
    row[place : place + 1] = [row[place], " centro"]


def in_latin_1(text: str) -> Spoil:
    """The line is written in Latin-1 with this text in the cell: not UTF-8."""

    def spoil(table: Table, record: int, column: str) -> None:
        table.put(record, column, text)
        table.raw[record] = ",".join(table.rows[record]).encode("latin-1")

    return spoil


def swaps(first: str, second: str) -> Spoil:
    """Two cells stand in each other's place."""

    def spoil(table: Table, record: int, column: str) -> None:
        one, other = table.cell(record, first), table.cell(record, second)
        table.put(record, first, other)
        table.put(record, second, one)

    return spoil


def year_before(text: str) -> str:
    """The same moment a year earlier; 29 February does not occur in the shop's years."""
    return f"{int(text[:4]) - 1}{text[4:]}"


def nothing(table: Table, record: int, column: str) -> None:
    """The file keeps its row; the event's clock is what is wrong."""


def any_row(table: Table, record: int) -> bool:
    """Every row will do."""
    return True


def delivered(table: Table, record: int) -> bool:
    """An order that has reached its customer."""
    return table.cell(record, "order_status") == "delivered"


def approved_a_day_late(table: Table, record: int) -> bool:
    """Approved on a later day than bought, so a carrier between the two breaks one rule only."""
    bought, approved = (table.cell(record, c) for c in ("order_purchase_timestamp", "order_approved_at"))
    return delivered(table, record) and approved[:10] > bought[:10]


def first_payment(table: Table, record: int) -> bool:
    """The first payment of its order."""
    return table.cell(record, "payment_sequential") == "1"
