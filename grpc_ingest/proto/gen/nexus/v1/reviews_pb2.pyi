from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Review(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "review_id", "order_id", "review_score", "review_comment_title", "review_comment_message", "review_creation_date", "review_answer_timestamp")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REVIEW_SCORE_FIELD_NUMBER: _ClassVar[int]
    REVIEW_COMMENT_TITLE_FIELD_NUMBER: _ClassVar[int]
    REVIEW_COMMENT_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REVIEW_CREATION_DATE_FIELD_NUMBER: _ClassVar[int]
    REVIEW_ANSWER_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    review_id: str
    order_id: str
    review_score: int
    review_comment_title: str
    review_comment_message: str
    review_creation_date: str
    review_answer_timestamp: str
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., review_id: _Optional[str] = ..., order_id: _Optional[str] = ..., review_score: _Optional[int] = ..., review_comment_title: _Optional[str] = ..., review_comment_message: _Optional[str] = ..., review_creation_date: _Optional[str] = ..., review_answer_timestamp: _Optional[str] = ...) -> None: ...
