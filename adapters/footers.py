"""Reads the check hop's footer at the end of a Silver or Quarantine object: a few kilobytes, whatever its size."""

from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.errors import LakeError
from lakehouse.footer import OutputFooter

# Footers of one row group take 10 KB; a second request is made for those that take more than this.
_FIRST_BYTES = 64 * 1024
# 1,000 row groups take 4 MB. More is no footer of ours but a broken length.
_MOST_BYTES = 64 * 1024 * 1024
_END = 8  # four bytes of length, four of magic


class Store(Protocol):
    """The part of `adapters.objects.ObjectStore` that reading footers needs."""

    def tail(self, bucket: str, key: str, size: int) -> bytes:
        """The object's last bytes; ObjectGone when it is gone."""


def read_footer(store: Store, bucket: str, key: str) -> OutputFooter:
    """LakeError when the object has no footer of the check hop or is damaged, ObjectGone when it is gone."""
    tail = store.tail(bucket, key, _FIRST_BYTES)
    length = int.from_bytes(tail[-_END:-4], "little") + _END
    if len(tail) < _END or length > _MOST_BYTES:
        raise LakeError(f"{bucket}/{key} has no footer of the check hop: it is cut off or damaged")
    if length > len(tail):
        tail = store.tail(bucket, key, length)
    try:
        return OutputFooter.from_parquet(pq.read_metadata(pa.BufferReader(tail)).metadata)
    except (pa.ArrowException, OSError) as error:
        raise LakeError(f"{bucket}/{key} has no footer of the check hop ({error})") from error
