"""`python -m tests.fakes.ingest_server`: the host process with schema ids of the tests instead of a registry's."""

import asyncio
import sys

from adapters.logs import configure_logs
from grpc_ingest.server.__main__ import run
from grpc_ingest.server.settings import Settings
from tests.builders.events import an_edge

if __name__ == "__main__":
    configure_logs("grpc-ingest")
    sys.exit(asyncio.run(run(Settings.from_process(), an_edge())))
