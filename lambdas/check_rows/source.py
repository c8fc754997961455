"""Where the bytes of a Bronze object come from: all of them at once, or ranges of it as they are needed."""

import io
from collections.abc import Callable
from typing import Protocol

Fetch = Callable[[int, int], bytes]


class Source(Protocol):
    """An object's bytes. Two reads never see different objects."""

    @property
    def size(self) -> int:
        """Its length."""

    def read(self, start: int, length: int) -> bytes:
        """Bytes that it has; the caller stays within its length."""


class WholeObject:
    """Bytes that are here."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        """Its length."""
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        """A part."""
        return self.data[start : start + length]


class RangedObject:
    """Bytes that `fetch(start, length)` brings."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self._size, self._fetch = size, fetch

    @property
    def size(self) -> int:
        """Its length."""
        return self._size

    def read(self, start: int, length: int) -> bytes:
        """A part, fetched now."""
        return self._fetch(start, length)


class Window(io.RawIOBase):
    """A source as a file, for Arrow: it holds the one range that `hold` fetched, and nothing else can be read.

    So no store's failure can happen inside of Arrow, and be taken for a broken file.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at, self._start, self._held = 0, 0, memoryview(b"")

    def hold(self, start: int, end: int) -> memoryview:
        """Fetches a range in one piece and forgets the one before."""
        self._held = memoryview(b"")
        self._start, self._held = start, memoryview(self._source.read(start, end - start))
        return self._held

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As every file does."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer at the end of what is held, none outside of it."""
        offset = self._at - self._start
        end = len(self._held) if size < 0 else offset + size
        data = bytes(self._held[offset:end]) if offset >= 0 else b""
        self._at += len(data)
        return data
