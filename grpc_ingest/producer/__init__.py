"""The plain Kafka producer: the same bytes as through the host, without gRPC in between.

with PlainProducer.connect(Settings.from_process(), source="web-shop") as producer:
    producer.send("orders", {"order_id": "…", "order_status": "created"}, occurred_at=1_700_000_000_000_000)
"""

from grpc_ingest.events import EventError
from grpc_ingest.producer.producer import PlainProducer
from grpc_ingest.producer.settings import Settings
from grpc_ingest.refusal import Code, Refusal
from grpc_ingest.results import BufferFull, Counts, EventResult

__all__ = [
    "BufferFull",
    "Code",
    "Counts",
    "EventError",
    "EventResult",
    "PlainProducer",
    "Refusal",
    "Settings",
]
