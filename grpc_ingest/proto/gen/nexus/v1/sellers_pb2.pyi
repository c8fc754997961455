from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Seller(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "seller_id", "seller_zip_code_prefix", "seller_city", "seller_state")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SELLER_ID_FIELD_NUMBER: _ClassVar[int]
    SELLER_ZIP_CODE_PREFIX_FIELD_NUMBER: _ClassVar[int]
    SELLER_CITY_FIELD_NUMBER: _ClassVar[int]
    SELLER_STATE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    seller_id: str
    seller_zip_code_prefix: str
    seller_city: str
    seller_state: str
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., seller_id: _Optional[str] = ..., seller_zip_code_prefix: _Optional[str] = ..., seller_city: _Optional[str] = ..., seller_state: _Optional[str] = ...) -> None: ...
