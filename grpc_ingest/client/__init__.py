"""The Python SDK: typed events in, batches over one stream, every event settled with a position or a refusal.

with IngestClient.connect("127.0.0.1:50051", source="web-shop") as client:
    client.send("orders", {"order_id": "…", "order_status": "created"}, occurred_at=1_700_000_000_000_000)
"""

from grpc_ingest.client.client import IngestClient
from grpc_ingest.client.outbox import Batching
from grpc_ingest.events import EventEncoder, EventError
from grpc_ingest.refusal import Code, Refusal
from grpc_ingest.results import BufferFull, Counts, EventResult

__all__ = [
    "Batching",
    "BufferFull",
    "Code",
    "Counts",
    "EventEncoder",
    "EventError",
    "EventResult",
    "IngestClient",
    "Refusal",
]
