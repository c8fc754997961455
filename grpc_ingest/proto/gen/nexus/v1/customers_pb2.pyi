from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Customer(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "customer_id", "customer_unique_id", "customer_zip_code_prefix", "customer_city", "customer_state")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_UNIQUE_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ZIP_CODE_PREFIX_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_CITY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_STATE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    customer_id: str
    customer_unique_id: str
    customer_zip_code_prefix: str
    customer_city: str
    customer_state: str
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., customer_id: _Optional[str] = ..., customer_unique_id: _Optional[str] = ..., customer_zip_code_prefix: _Optional[str] = ..., customer_city: _Optional[str] = ..., customer_state: _Optional[str] = ...) -> None: ...
