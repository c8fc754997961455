"""Why an event is not acknowledged: a value that travels to whoever sent it, the same by gRPC and without."""

from enum import IntEnum
from typing import NamedTuple

from confluent_kafka import KafkaError


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


_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_MSG_SIZE}
_NOT_SET_UP = {
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_REQUIRED_ACKS,
}


def refusal_of(error: KafkaError, topic: str) -> Refusal:
    """What a broker's error means to whoever sent the event. An error nobody foresaw counts as passing."""
    code = error.code()
    if code in _TOO_LARGE:
        return refuse_malformed("", f"the event is larger than {topic} takes: shorten its texts")
    if code in _NOT_SET_UP:
        problem = f"Kafka does not take events for {topic} ({error.str()}): an operator must set it up"
        return Refusal(Code.FAILED_PRECONDITION, problem)
    if code == KafkaError._QUEUE_FULL:
        return QUEUE_FULL
    return refuse_for_now(Code.UNAVAILABLE, f"Kafka did not acknowledge it ({error.str()}): send it again")


QUEUE_FULL = refuse_for_now(
    Code.RESOURCE_EXHAUSTED, "too many events wait for Kafka: send it again a little later"
)
NO_POSITION = refuse_for_now(
    Code.UNAVAILABLE, "Kafka has it but did not say where: send it again to learn its position"
)
