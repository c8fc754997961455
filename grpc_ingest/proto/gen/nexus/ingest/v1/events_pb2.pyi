from grpc_ingest.proto.gen.nexus.v1 import category_translation_pb2 as _category_translation_pb2
from grpc_ingest.proto.gen.nexus.v1 import customers_pb2 as _customers_pb2
from grpc_ingest.proto.gen.nexus.v1 import geolocation_pb2 as _geolocation_pb2
from grpc_ingest.proto.gen.nexus.v1 import order_items_pb2 as _order_items_pb2
from grpc_ingest.proto.gen.nexus.v1 import orders_pb2 as _orders_pb2
from grpc_ingest.proto.gen.nexus.v1 import payments_pb2 as _payments_pb2
from grpc_ingest.proto.gen.nexus.v1 import products_pb2 as _products_pb2
from grpc_ingest.proto.gen.nexus.v1 import reviews_pb2 as _reviews_pb2
from grpc_ingest.proto.gen.nexus.v1 import sellers_pb2 as _sellers_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Event(_message.Message):
    __slots__ = ("category_translation", "customers", "geolocation", "order_items", "orders", "payments", "products", "reviews", "sellers")
    CATEGORY_TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    GEOLOCATION_FIELD_NUMBER: _ClassVar[int]
    ORDER_ITEMS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    SELLERS_FIELD_NUMBER: _ClassVar[int]
    category_translation: _category_translation_pb2.CategoryTranslation
    customers: _customers_pb2.Customer
    geolocation: _geolocation_pb2.Geolocation
    order_items: _order_items_pb2.OrderItem
    orders: _orders_pb2.Order
    payments: _payments_pb2.Payment
    products: _products_pb2.Product
    reviews: _reviews_pb2.Review
    sellers: _sellers_pb2.Seller
    def __init__(self, category_translation: _Optional[_Union[_category_translation_pb2.CategoryTranslation, _Mapping]] = ..., customers: _Optional[_Union[_customers_pb2.Customer, _Mapping]] = ..., geolocation: _Optional[_Union[_geolocation_pb2.Geolocation, _Mapping]] = ..., order_items: _Optional[_Union[_order_items_pb2.OrderItem, _Mapping]] = ..., orders: _Optional[_Union[_orders_pb2.Order, _Mapping]] = ..., payments: _Optional[_Union[_payments_pb2.Payment, _Mapping]] = ..., products: _Optional[_Union[_products_pb2.Product, _Mapping]] = ..., reviews: _Optional[_Union[_reviews_pb2.Review, _Mapping]] = ..., sellers: _Optional[_Union[_sellers_pb2.Seller, _Mapping]] = ...) -> None: ...
