from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Product(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "product_id", "product_category_name", "product_name_lenght", "product_description_lenght", "product_photos_qty", "product_weight_g", "product_length_cm", "product_height_cm", "product_width_cm")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_CATEGORY_NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_NAME_LENGHT_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_DESCRIPTION_LENGHT_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_PHOTOS_QTY_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_WEIGHT_G_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LENGTH_CM_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_HEIGHT_CM_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_WIDTH_CM_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    product_id: str
    product_category_name: str
    product_name_lenght: int
    product_description_lenght: int
    product_photos_qty: int
    product_weight_g: int
    product_length_cm: int
    product_height_cm: int
    product_width_cm: int
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., product_id: _Optional[str] = ..., product_category_name: _Optional[str] = ..., product_name_lenght: _Optional[int] = ..., product_description_lenght: _Optional[int] = ..., product_photos_qty: _Optional[int] = ..., product_weight_g: _Optional[int] = ..., product_length_cm: _Optional[int] = ..., product_height_cm: _Optional[int] = ..., product_width_cm: _Optional[int] = ...) -> None: ...
