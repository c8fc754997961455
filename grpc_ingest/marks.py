"""Acknowledgement marks: how far each partition was acknowledged, written before the acknowledgement is sent.

One file per producer, `<folder>/<log>/<pid>.marks`, mapped into memory: what was written is there after kill -9 of
every process, though not after a power cut. Wanted where a broker may vanish with its records.
"""

import itertools
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lakehouse.errors import RuntimeFault
from lakehouse.paths import require_log_id

_MAGIC = b"nexus acks 1\0\0\0\0"
# End offset (first, so that it is aligned and changes in one store), partition, length of the name, name.
_SLOT = struct.Struct("=qiH249s")  # Kafka's topic names have at most 249 bytes
_SLOT_BYTES = 264
_SLOTS = 512  # partitions of one log; the file is sparse, so an unused slot costs nothing
_FILE_BYTES = len(_MAGIC) + _SLOT_BYTES * _SLOTS

Marks = dict[tuple[str, int], int]


class AckMarks:
    """The marks of one producer. Not safe for threads: one thread acknowledges."""

    def __init__(self, folder: Path, log: str) -> None:
        """Makes a file of its own; a second producer of this process adds a number to its name."""
        place = folder / require_log_id(log)
        try:
            place.mkdir(parents=True, exist_ok=True)
            with _create(place, os.getpid()) as file:
                file.truncate(_FILE_BYTES)
                self._map = mmap.mmap(file.fileno(), _FILE_BYTES)
        except OSError as error:
            raise RuntimeFault(
                f"{place} cannot be written ({error.strerror}): set NEXUS_ACK_MARKS to a folder"
            ) from error
        self._map[: len(_MAGIC)] = _MAGIC
        self._slots: dict[tuple[str, int], int] = {}
        self._ends: Marks = {}
        # Writes of 8 aligned bytes through a cast view are single stores: a reader never sees half of one.
        self._view = memoryview(self._map)[len(_MAGIC) :].cast("q")

    def note(self, topic: str, partition: int, end: int) -> None:
        """Everything of the partition before `end` counts as acknowledged. Moves forward only."""
        place = (topic, partition)
        if end > self._ends.get(place, 0):
            self._ends[place] = end
            self._view[self._slot(place)] = end

    def close(self) -> None:
        """The file stays."""
        self._view.release()
        self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _slot(self, place: tuple[str, int]) -> int:
        """Index of the partition's slot in 8-byte words, made when it is new: its name first, its end later."""
        slot = self._slots.get(place)
        if slot is None:
            slot = self._slots[place] = len(self._slots)
            if slot >= _SLOTS:
                raise RuntimeFault(f"more than {_SLOTS} partitions in one log: run without NEXUS_ACK_MARKS")
            name = place[0].encode()
            _SLOT.pack_into(self._map, len(_MAGIC) + slot * _SLOT_BYTES, 0, place[1], len(name), name)
        return slot * _SLOT_BYTES // 8


def read_marks(folder: Path, log: str) -> Marks:
    """(topic, partition) → end of what any process acknowledged in this log. Empty when nobody did."""
    found: Marks = {}
    for file in sorted((folder / require_log_id(log)).glob("*.marks")):
        data = file.read_bytes()
        if len(data) < _FILE_BYTES or not data.startswith(_MAGIC):
            continue  # its process ended while it made the file: it had acknowledged nothing
        for place, end in _read_slots(data):
            found[place] = max(end, found.get(place, 0))
    return {place: end for place, end in found.items() if end}


def _create(folder: Path, pid: int) -> BinaryIO:
    for number in itertools.count():
        try:
            return (folder / (f"{pid}-{number}.marks" if number else f"{pid}.marks")).open("x+b")
        except FileExistsError:
            continue
    raise AssertionError("count does not end")


def _read_slots(data: bytes) -> Iterator[tuple[tuple[str, int], int]]:
    for slot in range(_SLOTS):
        end, partition, length, name = _SLOT.unpack_from(data, len(_MAGIC) + slot * _SLOT_BYTES)
        if not length:
            return
        yield (name[:length].decode(), partition), end
