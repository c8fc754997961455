from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class CategoryTranslation(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "product_category_name", "product_category_name_english")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_CATEGORY_NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_CATEGORY_NAME_ENGLISH_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    product_category_name: str
    product_category_name_english: str
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., product_category_name: _Optional[str] = ..., product_category_name_english: _Optional[str] = ...) -> None: ...
