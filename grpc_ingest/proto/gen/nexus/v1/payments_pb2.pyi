from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Payment(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_SEQUENTIAL_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_INSTALLMENTS_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_VALUE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    order_id: str
    payment_sequential: int
    payment_type: str
    payment_installments: int
    payment_value: str
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., order_id: _Optional[str] = ..., payment_sequential: _Optional[int] = ..., payment_type: _Optional[str] = ..., payment_installments: _Optional[int] = ..., payment_value: _Optional[str] = ...) -> None: ...
