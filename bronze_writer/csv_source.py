"""A CSV file as something that is read twice: once to know it whole, once to land it, and found unchanged between."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bronze_writer.csv_records import Records, RecordSplitter, cells_of_line
from lakehouse.bronze import RESERVED_NAMES
from lakehouse.catalog import Entity
from lakehouse.errors import InputError
from lakehouse.names import lookalike
from lakehouse.shape import names_problem

# Small enough that numpy's arrays over a block stay a few MB, large enough that blocks cost nothing.
_BLOCK = 4 * 1024 * 1024
# No record of a shop comes near: a longer one is a quote that was never closed and swallows the rest of the file.
_RECORD = 16 * 1024 * 1024
_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\x1f\x8b": "gzip",
    b"PAR1": "Parquet",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"%PDF": "a PDF",
}
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Survey:
    """What a file holds. `digests` are of its blocks, `sha256` is of all of it; `records` leaves out the header.

    `contract_version` is the one whose columns the header comes nearest to, the newest of several. `unknown` are
    columns of the header that it does not have, `absent` optional ones that the header lacks.
    """

    size: int
    sha256: str
    contract_version: str
    header: tuple[str, ...]
    unknown: tuple[str, ...]
    absent: tuple[str, ...]
    header_size: int
    records: int
    record_bytes: int
    blank_lines: int
    digests: tuple[bytes, ...]


def survey(path: Path, entity: Entity) -> Survey:
    """Reads the whole file. InputError when it cannot be read, or is not a CSV of this entity."""
    splitter, sha256 = RecordSplitter(), hashlib.sha256()
    digests: list[bytes] = []
    size = record_bytes = 0
    head: bytes | None = None
    header: tuple[str, ...] = ()
    for block in _blocks(path):
        size += len(block)
        sha256.update(block)
        digests.append(_digest(block))
        if len(digests) == 1:
            _refuse_other_formats(path, block)
        cut = splitter.feed(block)
        record_bytes += cut.size
        _refuse_endless_record(path, splitter)
        if head is None and len(cut):
            head = cut.record(0)
            header = _header(path, head, entity)
    last = splitter.finish()
    record_bytes += last.size
    if head is None:
        if not len(last):
            raise InputError(f"{path} is empty: there is nothing to load. Export it again, with its header.")
        header = _header(path, head := last.record(0), entity)
    if splitter.records == 1:
        raise InputError(f"{path} holds a header and no records: there is nothing to load. Export it again.")
    if record_bytes + splitter.separators != size:
        raise AssertionError(f"{path}: {size} bytes were cut into {record_bytes} + {splitter.separators}")
    version = _version_of(header, entity)
    return Survey(
        size=size,
        sha256=sha256.hexdigest(),
        contract_version=version.version,
        header=header,
        unknown=tuple(name for name in header if name not in _names(version)),
        absent=tuple(name for name in _names(version) if name not in header),
        header_size=len(head),
        records=splitter.records - 1,
        record_bytes=record_bytes - len(head),
        blank_lines=splitter.blank_lines,
        digests=tuple(digests),
    )


def read_records(path: Path, known: Survey) -> Iterator[Records]:
    """The file's records without the header, numbered from 0, some thousands at a time.

    InputError as soon as a block is not the one surveyed: nothing of that block is given out.
    """
    splitter = RecordSplitter()
    count = 0
    for block in _blocks(path):
        if count >= len(known.digests) or _digest(block) != known.digests[count]:
            raise _changed(path)
        count += 1
        yield from _without_header(splitter.feed(block))
    if count != len(known.digests):
        raise _changed(path)
    yield from _without_header(splitter.finish())


def require_unchanged(path: Path, known: Survey) -> None:
    """InputError when the file at this path is not the one surveyed."""
    if tuple(_digest(block) for block in _blocks(path)) != known.digests:
        raise _changed(path)


def _without_header(found: Records) -> Iterator[Records]:
    records = found.slice(max(found.first, 1), found.end)
    if len(records):
        yield Records(
            records.data,
            records.first - 1,
            records.starts,
            records.ends,
            records.commas,
            records.quotes,
            records.odd,
        )


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist. Give the path of a CSV file.") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder. Give the path of one CSV file in it.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _digest(block: bytes) -> bytes:
    return hashlib.blake2b(block, digest_size=16).digest()


def _changed(path: Path) -> InputError:
    return InputError(
        f"{path} was changed while it was loaded. What is in Bronze is of the file as it was; load it again when "
        "nobody writes to it any more."
    )


def _refuse_other_formats(path: Path, block: bytes) -> None:
    for magic, name in _FORMATS.items():
        if block.startswith(magic):
            raise InputError(
                f"{path} is {name}, not CSV. Save it as CSV in UTF-8, with commas, and load that."
            )


def _refuse_endless_record(path: Path, splitter: RecordSplitter) -> None:
    if splitter.waiting > _RECORD:
        raise InputError(
            f"{path}: record {splitter.records} (the header is 0) is longer than {_RECORD >> 20} MB. Most likely a "
            "quote in it is opened and never closed: mend that, and load the file again."
        )


def _header(path: Path, line: bytes, entity: Entity) -> tuple[str, ...]:
    """The columns in the order of the file, in any order: the entity's, and others that it does not know."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte 0x{line[error.start]:02x} in its header is not UTF-8. Save the file as UTF-8, for "
            f"instance with: iconv -f LATIN1 -t UTF-8 {path.name}"
        ) from error
    found = tuple(cell.decode() for cell in cells_of_line(line))
    problem = _misfit(text, found, entity)
    if problem:
        raise InputError(f"{path} {problem}")
    return found


def _version_of(header: Sequence[str], entity: Entity) -> Entity:
    """The contract version that the header comes nearest to: the fewest columns too many or too few; the newest."""
    return min(reversed(entity.versions), key=lambda one: len(set(_names(one)) ^ set(header)))


def _names(version: Entity) -> list[str]:
    return [f.name for f in version.fields]


def _misfit(text: str, found: Sequence[str], entity: Entity) -> str | None:
    """What is wrong with a header, and what to do; None when its records are rows of the entity."""
    wanted = _names(entity)
    expected = f"A file of this entity begins with {','.join(wanted)}."
    if "\r" in text:
        return "ends its lines with CR alone. Save it with LF or CRLF."
    for sign, name in _DELIMITERS.items():
        if len(found) < len(wanted) <= len(text.split(sign)):
            return f"separates its cells by {name}. Save it as CSV with commas. {expected}"
    version = _version_of(found, entity)
    absent = [f for f in version.fields if f.name not in found]
    unknown = [name for name in found if name not in _names(version)]
    hints = [
        f" {o!r} looks like {f.name}: give it that name." for f in absent if (o := lookalike(f.name, unknown))
    ]
    if any(f.required for f in absent) or hints:
        lacks = _list([f.name for f in absent])
        return f"lacks {lacks}; its header has {_list(found)}.{''.join(hints)} {expected}"
    doubled = [name for name, times in Counter(found).items() if times > 1]
    if doubled:
        return f"has {_list(doubled)} more than once. Leave one of them out. {expected}"
    if reserved := [name for name in unknown if name in RESERVED_NAMES]:
        return f"has {_list(reserved)}, which the lake calls its own. Give it another name. {expected}"
    problem = names_problem(found, unknown)
    return f"has a header that cannot be read: {problem}. {expected}" if problem else None


def _list(names: Sequence[str]) -> str:
    """Names for a sentence, cut when there are too many or too long to read."""
    shown = [repr(name if len(name) <= 60 else name[:57] + "...") for name in names[:12]]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ("column " if len(names) == 1 else "columns ") + ", ".join(shown) + more
