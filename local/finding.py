"""What an examination finds: one line, and what to do where something is wrong."""

from dataclasses import dataclass
from typing import Literal, Self

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """`note`: worth knowing, nothing to be done or nothing that hinders. `remedy` is empty when all is well."""

    subject: str
    state: State
    text: str
    remedy: str = ""

    @classmethod
    def ok(cls, subject: str, text: str) -> Self:
        """All is well."""
        return cls(subject, "ok", text)

    @classmethod
    def note(cls, subject: str, text: str, remedy: str = "") -> Self:
        """Worth knowing."""
        return cls(subject, "note", text, remedy)

    @classmethod
    def problem(cls, subject: str, text: str, remedy: str) -> Self:
        """Wrong, and what to do."""
        return cls(subject, "problem", text, remedy)
