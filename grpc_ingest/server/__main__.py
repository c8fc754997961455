"""`python -m grpc_ingest.server`: one host process. SIGTERM or SIGINT drains it; a second one ends it at once."""

import asyncio
import signal
import sys

from adapters.logs import configure_logs
from adapters.msk_auth import kafka_security
from adapters.registry import SchemaRegistry
from grpc_ingest.broker import connect_producer
from grpc_ingest.records import Edge
from grpc_ingest.server.host import serve
from grpc_ingest.server.settings import Settings
from lakehouse.catalog import load_entities
from lakehouse.errors import NexusError


async def run(settings: Settings, edge: Edge) -> int:
    """Serves until a signal."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            sys.exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return await serve(
        settings,
        edge,
        lambda on_fatal: connect_producer(
            settings.broker,
            settings.message_timeout_s,
            "nexus-ingest",
            on_fatal,
            kafka_security(settings.kafka_auth, settings.region),
        ),
        stop,
    )


def main() -> int:
    """Exit code 0: drained; 1: some events were never answered by Kafka; 2: could not start."""
    try:
        settings = Settings.from_process()
        configure_logs("grpc-ingest", settings.log_level)
        registry = SchemaRegistry.connect(settings.aws_endpoint, settings.region, settings.registry)
        edge = Edge(load_entities().values(), registry.version_id)
        return asyncio.run(run(settings, edge))
    except NexusError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
