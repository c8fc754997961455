"""What a person asks for: which rows of Quarantine, with which edits, and whether to look or to move."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self

from lakehouse.errors import InputError

PREVIEW: Final = "preview"
REPLAY: Final = "replay"


@dataclass(frozen=True)
class Request:
    """`entity` and `mode` are asked for; each further field that is given leaves fewer rows.

    `rule`: rows that break it · `log`, `object` (a Bronze key), `event` (an event id) · `edits`: key of a file in the
    Quarantine bucket (`<entity>/_edits/…`): the rows that it names, with its values.
    """

    entity: str
    mode: Literal["preview", "replay"]
    rule: str = ""
    log: str = ""
    object: str = ""
    event: str = ""
    edits: str = ""

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Of what the function was invoked with; InputError says what to write instead."""
        names = [field.name for field in fields(cls)]
        if not isinstance(event, Mapping):
            raise InputError(f"The request is no JSON object: give one with {', '.join(names)}.")
        if unknown := sorted(event.keys() - set(names)):
            raise InputError(f"The request has {unknown[0]!r}, which nothing reads: use {', '.join(names)}.")
        if wrong := [name for name, value in event.items() if not isinstance(value, str)]:
            raise InputError(f"{wrong[0]} is {event[wrong[0]]!r}: give a text.")
        if not event.get("entity"):
            raise InputError("The request names no entity: give one, such as reviews.")
        if event.get("mode") not in (PREVIEW, REPLAY):
            raise InputError(
                f"mode is {event.get('mode')!r}: give {PREVIEW}, which changes nothing, or {REPLAY}."
            )
        return cls(**event)

    def digest(self, rules_hash: str, edits: str) -> str:
        """What a replay's outputs depend on besides the rows held: pinned in the ledger under this name."""
        told = {**asdict(self), "rules": rules_hash, "edits_are": edits}
        return f"replay-{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]}"
