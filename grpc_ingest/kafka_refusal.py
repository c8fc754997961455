"""A broker's error as a refusal. Apart from refusals themselves: clients read those, and have no Kafka library."""

from confluent_kafka import KafkaError

from grpc_ingest.refusal import QUEUE_FULL, Code, Refusal, refuse_for_now, refuse_malformed

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
