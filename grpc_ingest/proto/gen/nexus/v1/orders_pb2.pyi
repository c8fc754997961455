from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Order(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "order_id", "customer_id", "order_status", "order_purchase_timestamp", "order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date", "order_estimated_delivery_date")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_STATUS_FIELD_NUMBER: _ClassVar[int]
    ORDER_PURCHASE_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ORDER_APPROVED_AT_FIELD_NUMBER: _ClassVar[int]
    ORDER_DELIVERED_CARRIER_DATE_FIELD_NUMBER: _ClassVar[int]
    ORDER_DELIVERED_CUSTOMER_DATE_FIELD_NUMBER: _ClassVar[int]
    ORDER_ESTIMATED_DELIVERY_DATE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    order_id: str
    customer_id: str
    order_status: str
    order_purchase_timestamp: str
    order_approved_at: str
    order_delivered_carrier_date: str
    order_delivered_customer_date: str
    order_estimated_delivery_date: str
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., order_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., order_status: _Optional[str] = ..., order_purchase_timestamp: _Optional[str] = ..., order_approved_at: _Optional[str] = ..., order_delivered_carrier_date: _Optional[str] = ..., order_delivered_customer_date: _Optional[str] = ..., order_estimated_delivery_date: _Optional[str] = ...) -> None: ...
