"""The embedded broker as a process: `python -m local.broker_server --port-file F --topics a.v1,b.v1 --partitions 4`.

Writes `127.0.0.1:port` to the port file when the topics are there; SIGTERM ends it. With `--control-file` it also
listens on a loopback port (written to that file) for faults, one JSON object per line, each answered by one:
{"do": "down"} · {"do": "up"} · {"do": "delay", "ms": 50} · {"do": "fail", "api": 0, "errors": [7, 7]} ·
{"do": "heal", "api": 0}
"""

import argparse
import json
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lakehouse.errors import NexusError
from local.lake_store import write_whole
from local.mock_cluster import MockCluster

# Without a reachable peer librdkafka repeats itself thousands of times a minute.
LINES_PER_MINUTE = 20


class LimitedLog:
    """Writes lines to stderr, at most LINES_PER_MINUTE in a minute, then how many it held back."""

    def __init__(self, limit: int = LINES_PER_MINUTE) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._began = 0.0
        self._written = self._held = 0

    def __call__(self, level: int, text: str) -> None:
        """May be called from any thread."""
        with self._lock:
            now = time.monotonic()
            if now - self._began >= 60:
                if self._held:
                    print(f"librdkafka: {self._held} more lines held back", file=sys.stderr, flush=True)
                self._began, self._written, self._held = now, 0, 0
            if self._written >= self._limit:
                self._held += 1
                return
            self._written += 1
        print(f"librdkafka[{level}] {text}", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM."""
    arguments = _parse(argv)
    ends = {signal.SIGTERM, signal.SIGINT}
    # Blocked before any thread exists, so that all threads leave them to sigwait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with MockCluster(LimitedLog()) as cluster:
            for topic in filter(None, arguments.topics.split(",")):
                cluster.create_topic(topic, arguments.partitions)
            if arguments.control_file:
                _serve_control(cluster, arguments.control_file)
            write_whole(arguments.port_file, f"{cluster.bootstrap}\n")
            signal.sigwait(ends)
    except NexusError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        arguments.port_file.unlink(missing_ok=True)
    return 0


def tell(control: str, order: dict[str, Any], timeout_s: float = 10.0) -> None:
    """Sends one order to a broker's control address (`127.0.0.1:port`) and waits until it is carried out."""
    host, port = control.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout_s) as connection:
        connection.sendall(json.dumps(order).encode() + b"\n")
        answer = json.loads(connection.makefile().readline())
    if not answer["ok"]:
        raise ValueError(answer["error"])


def carry_out(cluster: MockCluster, order: dict[str, Any]) -> None:
    """One fault order (see the top). Raises ValueError for one it does not know."""
    match order:
        case {"do": "down"}:
            cluster.go_down()
        case {"do": "up"}:
            cluster.come_up()
        case {"do": "delay", "ms": int(milliseconds)}:
            cluster.delay_answers(milliseconds)
        case {"do": "fail", "api": int(api), "errors": list(errors)}:
            cluster.fail_next(api, errors)
        case {"do": "heal", "api": int(api)}:
            cluster.stop_failing(api)
        case _:
            raise ValueError(f"unknown order {order}")


def _serve_control(cluster: MockCluster, control_file: Path) -> None:
    class Orders(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                try:
                    carry_out(cluster, json.loads(line))
                    answer: dict[str, Any] = {"ok": True}
                except (ValueError, NexusError) as error:
                    answer = {"ok": False, "error": str(error)}
                self.wfile.write(json.dumps(answer).encode() + b"\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Orders)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="control", daemon=True).start()
    write_whole(control_file, f"127.0.0.1:{server.server_address[1]}\n")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.broker_server", description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True, help="gets host:port when all is ready")
    parser.add_argument("--topics", default="", help="comma-separated names")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument(
        "--control-file", type=Path, help="take orders for faults; gets host:port of the control"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
