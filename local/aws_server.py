"""The AWS of one machine: S3, EventBridge, SQS and Glue by moto on loopback, over a lake folder that lasts.

python -m local.aws_server --lake .nexus --port 0 --port-file .nexus/run/aws.port
"""

import argparse
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from moto import backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from lakehouse.errors import NexusError, RuntimeFault
from local import moto_hooks, object_events
from local.lake_store import LakeFiles, write_whole
from local.registry_store import RegistryFile
from local.write_through import LakeOverS3

log = logging.getLogger("local.aws_server")

HOST = "127.0.0.1"

# moto reads its own folder at every request: a fifth of a small PUT
_MODULES = tuple(backends.list_of_moto_modules())
FASTER = moto_hooks.Hook(backends, "list_of_moto_modules", lambda _original: _MODULES)


class QuietHandler(MotoRequestHandler):  # type: ignore[misc]
    """moto's request handler without a log line per request."""

    disable_nagle_algorithm = True  # headers and body go out as two writes: Nagle would hold back the second

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: errors are logged where they arise."""


def create_service(service: str) -> Any:
    """moto's application for one AWS service, without Flask's debug mode, which keeps each request's body."""
    app = create_backend_app(service)
    app.debug = False
    return app


def serve(lake: Path, port: int, port_file: Path | None, region: str) -> None:
    """Open the lake, serve until SIGTERM or SIGINT, let the write in hand end. NexusError says what is wrong."""
    over_s3 = _open_lake(lake, region)
    with _listen(port) as listener:
        app = DomainDispatcherApplication(create_service)
        server = make_server(HOST, 0, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno())

        def stop(signum: int, _frame: FrameType | None) -> None:
            log.info("%s: stopping", signal.Signals(signum).name)
            threading.Thread(target=server.shutdown).start()  # it waits for this very thread otherwise

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if port_file is not None:
            write_whole(port_file, f"{server.port}\n")
        log.info("serving on http://%s:%d", HOST, server.port)
        server.serve_forever()
        server.server_close()
    over_s3.lock.acquire()  # never released: the write in hand has ended and no other begins


def _open_lake(lake: Path, region: str) -> LakeOverS3:
    files = LakeFiles(lake)
    files.lock()
    files.clear_temp()
    over_s3 = LakeOverS3(files, region)
    registry = RegistryFile(files.root / "registry.json", region)
    moto_hooks.install((*over_s3.hooks(), *registry.hooks(), *object_events.hooks(), FASTER))
    started = time.monotonic()
    objects, size = over_s3.load()
    versions = registry.load()
    took = time.monotonic() - started
    holds = f"{objects} objects, {size / 1e6:.1f} MB, {versions} schema versions"
    log.info("lake %s: %s, loaded in %.2f s", files.root, holds, took)
    return over_s3


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=128)
    except OSError as error:
        raise RuntimeFault(
            f"port {port} cannot be used: {error.strerror}. Choose another, or 0 for any"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after a signal, 1 when the lake or the port cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m local.aws_server", description=__doc__)
    parser.add_argument("--lake", type=Path, required=True, help="folder of the lake, made if missing")
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes any free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once requests are served")
    parser.add_argument("--region", default="us-east-1", help="region all buckets and the registry are in")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        serve(args.lake, args.port, args.port_file, args.region)
    except (NexusError, OSError) as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
