"""What the check and its child say to each other over pipes: frames of a letter, a length and so many bytes."""

import struct
from typing import IO

JOB = b"J"  # to the child: what to check, as JSON
READ, DATA = b"R", b"D"  # to the parent: start and length of a range; to the child: its bytes
SILVER, QUARANTINE = b"S", b"Q"  # to the parent: the next bytes of an output
DONE, UNREADABLE, OUT_OF_MEMORY, FAILED = (
    b"O",
    b"U",
    b"M",
    b"E",
)  # to the parent, the last word: JSON or a text

RANGE = struct.Struct("<qq")
_HEAD = struct.Struct("<cq")


def send(pipe: IO[bytes], kind: bytes, body: bytes | bytearray = b"") -> None:
    """One frame. BrokenPipeError when nobody is there."""
    pipe.write(_HEAD.pack(kind, len(body)))
    pipe.write(body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[bytes, bytes]:
    """The next frame; EOFError when the other side is gone."""
    kind, length = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    return kind, _exactly(pipe, length)


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) != length:
        raise EOFError
    return data
