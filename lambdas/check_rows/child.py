"""The check of one object in a process of its own, which may die of it: `python -m lambdas.check_rows.child`.

It has no AWS, no ledger and no address: it asks its parent for ranges of the object and hands it what it writes.
"""

import io
import json
import resource
import sys
import traceback
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from adapters.ledger import Opened
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import load_entities
from lakehouse.row_check import CheckPlan
from lambdas.check_rows import frames
from lambdas.check_rows.limits import Limits
from lambdas.check_rows.outputs import write_rows
from lambdas.check_rows.parquet_footer import UnreadableObject
from lambdas.check_rows.source import RangedObject
from lambdas.check_rows.without_pandas import leave_out_pandas

_PIECE = 2**20  # of an output, in one frame


class _Sent(io.RawIOBase):
    """A file whose bytes go to the parent."""

    def __init__(self, pipe: IO[bytes], kind: bytes) -> None:
        self._pipe, self._kind, self._waiting = pipe, kind, bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        if len(self._waiting) >= _PIECE:
            self.flush()
        return len(data)

    def flush(self) -> None:
        if self._waiting:
            frames.send(self._pipe, self._kind, self._waiting)
            self._waiting = bytearray()


def main() -> None:
    """Checks what the first frame names. Its last frame is its verdict; without one it died of the object."""
    leave_out_pandas()
    asks, tells = sys.stdin.buffer, sys.stdout.buffer
    _, job = frames.receive(asks)
    facts = json.loads(job)
    opened = Opened(**facts["opened"] | {"metadata": BronzeMetadata(**facts["opened"]["metadata"])})
    limits = Limits(**facts["limits"])

    def fetch(start: int, length: int) -> bytes:
        frames.send(tells, frames.READ, frames.RANGE.pack(start, length))
        return frames.receive(asks)[1]

    silver, quarantine = _Sent(tells, frames.SILVER), _Sent(tells, frames.QUARANTINE)
    try:
        entity = load_entities()[opened.metadata.entity]
        if entity.rules_hash != facts["rules_hash"]:
            raise ValueError(
                f"the rules are {entity.rules_hash} here, and {facts['rules_hash']} in the parent"
            )
        plan = CheckPlan(entity)
        confine(limits)
        source = RangedObject(facts["size"], fetch)
        outcome = write_rows(plan, opened, source, silver, quarantine, limits, confined=True)
        silver.flush()
        quarantine.flush()
        last = frames.DONE, json.dumps({n: _plain(getattr(outcome, n)) for n in outcome.__dataclass_fields__})
    except UnreadableObject as unreadable:
        last = frames.UNREADABLE, json.dumps([str(unreadable), unreadable.code])
    except MemoryError:
        last = frames.OUT_OF_MEMORY, ""
    except EOFError:
        return  # the parent is gone: nobody waits for this
    except pa.ArrowException as error:
        # without a class of its own: of a thread that could not be started for want of memory
        last = (
            (frames.OUT_OF_MEMORY, "") if type(error) is pa.ArrowException else (frames.FAILED, repr(error))
        )
    except Exception:  # noqa: BLE001 - the outermost of a process; its parent raises it again
        last = frames.FAILED, traceback.format_exc()
    frames.send(tells, last[0], last[1].encode())


def confine(limits: Limits) -> None:
    """From now on this process has so much memory more than it has now, and so many seconds of a processor."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)  # each thread takes 8 MiB of what is allowed
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    most = pages * resource.getpagesize() + limits.child_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + limits.child_cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else value


if __name__ == "__main__":
    main()
