"""The note that closes a log whose broker is gone: its last known ends, and what never landed. Kept in Bronze."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from lakehouse.balance import VoidRange
from lakehouse.errors import LakeError

# (topic, partition) → behind the last offset that was acknowledged or seen
Ends = Mapping[tuple[str, int], int]


@dataclass(frozen=True)
class ClosedLog:
    """`lost` are the offsets below the ends that are in no Bronze object."""

    log: str
    closed_at: datetime
    ends: Ends
    lost: tuple[VoidRange, ...]

    def to_text(self) -> str:
        """JSON, the inverse of `from_text`."""
        note = {
            "log": self.log,
            "closed_at": self.closed_at.isoformat(),
            "acknowledged": [[*place, end] for place, end in sorted(self.ends.items())],
            "lost": [[v.topic, v.partition, v.first, v.end, v.reason] for v in self.lost],
        }
        return json.dumps(note, indent=1)

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """LakeError when the text is no such note."""
        try:
            note = json.loads(text)
            return cls(
                log=note["log"],
                closed_at=datetime.fromisoformat(note["closed_at"]),
                ends={(topic, partition): end for topic, partition, end in note["acknowledged"]},
                lost=tuple(VoidRange(note["log"], *lost) for lost in note["lost"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(
                f"a note in _logs/ cannot be read ({error!r}): look at what closed that log"
            ) from error
