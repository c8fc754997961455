"""Why an event is not acknowledged: a value that travels to whoever sent it, the same by gRPC and without."""

from enum import IntEnum
from typing import NamedTuple


class Code(IntEnum):
    """The gRPC status codes that a refusal may carry."""

    INVALID_ARGUMENT = 3
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNAVAILABLE = 14


class Refusal(NamedTuple):
    """`field` is the place in the event, such as `orders.occurred_at`, or empty.

    Retryable: the same bytes may be taken later. They may be in Kafka already all the same.
    """

    code: Code
    message: str
    field: str = ""
    retryable: bool = False


def refuse_malformed(field: str, problem: str) -> Refusal:
    """The event itself is wrong: sending it again does not help."""
    return Refusal(Code.INVALID_ARGUMENT, problem, field)


def refuse_for_now(code: Code, problem: str) -> Refusal:
    """The event may be fine: send it again, with the same event_id."""
    return Refusal(code, problem, retryable=True)


QUEUE_FULL = refuse_for_now(
    Code.RESOURCE_EXHAUSTED, "too many events wait for Kafka: send it again a little later"
)
NO_POSITION = refuse_for_now(
    Code.UNAVAILABLE, "Kafka has it but did not say where: send it again to learn its position"
)
