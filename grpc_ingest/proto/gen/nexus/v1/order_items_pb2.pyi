from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class OrderItem(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "order_id", "order_item_id", "product_id", "seller_id", "shipping_limit_date", "price", "freight_value")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SELLER_ID_FIELD_NUMBER: _ClassVar[int]
    SHIPPING_LIMIT_DATE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    FREIGHT_VALUE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    order_id: str
    order_item_id: int
    product_id: str
    seller_id: str
    shipping_limit_date: str
    price: str
    freight_value: str
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., order_id: _Optional[str] = ..., order_item_id: _Optional[int] = ..., product_id: _Optional[str] = ..., seller_id: _Optional[str] = ..., shipping_limit_date: _Optional[str] = ..., price: _Optional[str] = ..., freight_value: _Optional[str] = ...) -> None: ...
