"""A shop's CSV files, opened strictly: every complaint is one sentence that names the file and says what to do.

RFC 4180 with a header, UTF-8 with or without byte order mark, LF or CRLF, line breaks inside quotes.
"""

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import InputError
from local.shop.forms import FORMS, FileForm

_BOM = b"\xef\xbb\xbf"
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_HEADER_BYTES = 65_536  # far beyond any header: a longer first line is no CSV of ours


@dataclass(frozen=True)
class CsvFile:
    """A file whose header was read: its columns in file order, and the byte at which its first record starts."""

    form: FileForm
    path: Path
    columns: tuple[str, ...]
    body: int

    def place(self, column: str) -> int:
        """Where a column stands in a record."""
        return self.columns.index(column)

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """Columns that nobody asked for."""
        return tuple(column for column in self.columns if column not in self.form.columns)


@dataclass(frozen=True)
class Record:
    """One record: its number from 0, the bytes it takes up, the line it starts at, its cells."""

    number: int
    start: int
    end: int
    line: int
    cells: list[str]


def open_shop(folder: Path) -> dict[str, CsvFile]:
    """The nine files of a folder by entity, each with its header checked; InputError for the first that is wrong."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}. Give the folder that holds the shop's nine CSV files.")
    missing = [form.name for form in FORMS.values() if not (folder / form.name).is_file()]
    if missing:
        raise InputError(
            f"{folder} lacks {_list(missing)}. It holds {_list(sorted(p.name for p in folder.iterdir()))}. "
            "Put the missing files there under exactly these names."
        )
    return {entity: open_csv(folder / form.name, form) for entity, form in FORMS.items()}


def open_csv(path: Path, form: FileForm) -> CsvFile:
    """Reads and checks the header of one file; InputError says what is wrong with it."""
    try:
        with path.open("rb") as file:
            first = file.readline(_HEADER_BYTES)
            more = file.read(1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Look at its permissions.") from error
    if not first.removeprefix(_BOM).strip():
        raise InputError(f"{path} is empty. Put the file with its header and records there.")
    header = _decode_header(path, first)
    try:
        columns = tuple(name.strip() for name in next(csv.reader([header], strict=True)))
    except csv.Error as error:
        raise InputError(
            f"{path}: its header cannot be read ({error}). Write {','.join(form.columns)}."
        ) from error
    _check_columns(path, form, header, columns)
    if not more:
        raise InputError(f"{path} holds a header and no records. Put the whole file there.")
    return CsvFile(form, path, columns, len(first))


def read_records(file: CsvFile) -> Iterator[Record]:
    """All records in file order; blank lines are passed over. Cells are as they were, their number is not checked.

    Raises InputError where bytes are not UTF-8 or quotes make no sense: from there on nothing can be trusted.
    """
    lines = _Lines(file)
    reader = csv.reader(lines, strict=True)
    start, line, number = file.body, 2, 0
    try:
        for cells in reader:
            if cells:
                yield Record(number, start, lines.end, line, cells)
                number += 1
            start, line = lines.end, reader.line_num + 2
    except csv.Error as error:
        raise InputError(
            f"{file.path}, line {line}: the record that starts here cannot be read ({error}). "
            "Look for a quote that is not closed, or write quotes inside a cell twice."
        ) from error


class _Lines:
    """Lines of a file as text; `end` is the byte behind the last line given out."""

    def __init__(self, file: CsvFile) -> None:
        self._file = file
        self.end = file.body

    def __iter__(self) -> Iterator[str]:
        with self._file.path.open("rb") as opened:
            opened.seek(self.end)
            for number, line in enumerate(opened, 2):
                try:
                    text = line.decode()
                except UnicodeDecodeError as error:
                    raise _not_utf8(self._file.path, number, line[error.start]) from error
                self.end += len(line)
                yield text


def _decode_header(path: Path, line: bytes) -> str:
    try:
        return line.removeprefix(_BOM).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, 1, line.removeprefix(_BOM)[error.start]) from error


def _check_columns(path: Path, form: FileForm, header: str, columns: Collection[str]) -> None:
    missing = [column for column in form.columns if column not in columns]
    if missing:
        for sign, name in _OTHER_DELIMITERS.items():
            if len(header.split(sign)) >= len(form.columns) > 1:
                raise InputError(
                    f"{path} separates its columns by {name}. Save it as CSV with commas; "
                    "its header then reads " + ",".join(form.columns) + "."
                )
        raise InputError(
            f"{path} lacks {'the column' if len(missing) == 1 else 'the columns'} {_list(missing)}. "
            f"It has {_list(list(columns))}. Name the columns as Olist published them."
        )
    doubled = sorted({column for column in columns if list(columns).count(column) > 1})
    if doubled:
        raise InputError(f"{path} has {_list(doubled)} twice. Leave one of them out.")


def _not_utf8(path: Path, line: int, byte: int) -> InputError:
    return InputError(
        f"{path}, line {line}: byte 0x{byte:02X} is not UTF-8. Save the file as UTF-8, "
        f"for instance with: iconv -f LATIN1 -t UTF-8 {path.name}"
    )


def _list(names: Collection[str]) -> str:
    """Names for a sentence, cut when there are too many to read."""
    shown = list(names)[:12]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") if shown else "nothing"
