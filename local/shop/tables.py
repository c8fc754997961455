"""Rows on their way into the shop's files."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from local.shop.forms import FORMS, FileForm

BOM = b"\xef\xbb\xbf"


@dataclass
class Table:
    """The rows of one file on their way to be written; `raw` holds lines whose bytes stand as they are."""

    form: FileForm
    rows: list[list[str]] = field(default_factory=list)
    raw: dict[int, bytes] = field(default_factory=dict)

    def cell(self, record: int, column: str) -> str:
        """The cell of a record (counted from 0)."""
        return self.rows[record][self.form.columns.index(column)]

    def put(self, record: int, column: str, value: str) -> None:
        """Replaces a cell."""
        self.rows[record][self.form.columns.index(column)] = value

    def key(self, record: int) -> dict[str, str]:
        """The business key of a record."""
        return {column: self.cell(record, column) for column in self.form.key}

    def write(self, folder: Path) -> None:
        """Writes the file."""
        end = b"\r\n" if self.form.dos else b"\n"
        lines = [self._header(), *self._lines()]
        content = end.join(lines) + end
        (folder / self.form.name).write_bytes(BOM + content if self.form.dos else content)

    def _header(self) -> bytes:
        columns = self.form.columns
        return ",".join(f'"{c}"' if self.form.header_quoted else c for c in columns).encode()

    def _lines(self) -> Iterator[bytes]:
        quoted = [column in self.form.quoted for column in self.form.columns]
        for record, row in enumerate(self.rows):
            if record in self.raw:
                yield self.raw[record]
                continue
            cells = [_cell(text, digits) for text, digits in zip(row, quoted, strict=False)]
            yield ",".join(cells + row[len(quoted) :]).encode()


def new_tables() -> dict[str, Table]:
    """Nine empty tables by entity."""
    return {entity: Table(form) for entity, form in FORMS.items()}


def _cell(text: str, quote_digits: bool) -> str:
    if '"' in text or "," in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return f'"{text}"' if quote_digits and text[:1].isdigit() else text
