from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Geolocation(_message.Message):
    __slots__ = ("event_id", "occurred_at", "source", "op", "contract_version", "geolocation_zip_code_prefix", "geolocation_lat", "geolocation_lng", "geolocation_city", "geolocation_state")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    GEOLOCATION_ZIP_CODE_PREFIX_FIELD_NUMBER: _ClassVar[int]
    GEOLOCATION_LAT_FIELD_NUMBER: _ClassVar[int]
    GEOLOCATION_LNG_FIELD_NUMBER: _ClassVar[int]
    GEOLOCATION_CITY_FIELD_NUMBER: _ClassVar[int]
    GEOLOCATION_STATE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    occurred_at: int
    source: str
    op: str
    contract_version: str
    geolocation_zip_code_prefix: str
    geolocation_lat: str
    geolocation_lng: str
    geolocation_city: str
    geolocation_state: str
    def __init__(self, event_id: _Optional[str] = ..., occurred_at: _Optional[int] = ..., source: _Optional[str] = ..., op: _Optional[str] = ..., contract_version: _Optional[str] = ..., geolocation_zip_code_prefix: _Optional[str] = ..., geolocation_lat: _Optional[str] = ..., geolocation_lng: _Optional[str] = ..., geolocation_city: _Optional[str] = ..., geolocation_state: _Optional[str] = ...) -> None: ...
