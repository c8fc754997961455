"""What the canary looked at and found, for people and for `make smoke`."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from adapters.objects import STORE_ERRORS
from lakehouse.errors import NexusError

State = Literal["ok", "failed", "not checked"]


@dataclass(frozen=True)
class Found:
    """A state and a sentence that says what was found."""

    state: State
    detail: str


@dataclass(frozen=True)
class Check:
    """One line of the table. `seconds` is what looking took."""

    name: str
    state: State
    detail: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As it leaves the function."""
        return asdict(self)


def check(name: str, look: Callable[[], Found], seconds: Callable[[], float]) -> Check:
    """Looks, and takes what cannot be asked for failed: an AWS, ledger or host that is away is no defect of ours."""
    start = seconds()
    try:
        found = look()
    except (NexusError, *STORE_ERRORS) as error:
        found = Found("failed", str(error))
    return Check(name, found.state, found.detail, round(seconds() - start, 1))
