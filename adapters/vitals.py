"""A page of a process over HTTP: is it alive, can it do its work, what has it counted. For balancers and agents."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lakehouse.errors import RuntimeFault

_TEXT = "text/plain; version=0.0.4; charset=utf-8"  # what Prometheus calls its format
# A client that sends nothing must not hold a thread for ever.
_CLIENT_S = 10


@dataclass(frozen=True)
class Vitals:
    """What a process says of itself; called from threads of the page.

    `alive`: why this process should be replaced. `ready`: why it cannot do its work, be that its own fault or
    Kafka's. Both "" when there is nothing to say. `counts`: by name, which ends in `_total` if it only grows.
    """

    alive: Callable[[], str]
    ready: Callable[[], str]
    counts: Callable[[], Mapping[str, float]]


class VitalsPage:
    """Serves `/healthz`, `/readyz` and `/metrics` until closed."""

    def __init__(self, host: str, port: int, vitals: Vitals) -> None:
        """Port 0 takes any free one. RuntimeFault when the port is taken."""
        try:
            self._server = ThreadingHTTPServer((host, port), partial(_Answers, vitals))
        except OSError as error:
            raise RuntimeFault(
                f"nothing can listen on {host}:{port} ({error.strerror}): set NEXUS_HEALTH_PORT to a free port"
            ) from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="vitals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the page."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def metrics_text(counts: Mapping[str, float]) -> str:
    """Prometheus's text format. Names may carry labels: `refused_total{code="UNAVAILABLE"}`."""
    lines, typed = [], set()
    for name, value in sorted(counts.items()):
        family = name.partition("{")[0]
        if family not in typed:
            typed.add(family)
            lines.append(f"# TYPE {family} {'counter' if family.endswith('_total') else 'gauge'}")
        lines.append(f"{name} {value:.16g}")
    return "\n".join(lines) + "\n"


class _Answers(BaseHTTPRequestHandler):
    timeout = _CLIENT_S

    def __init__(self, vitals: Vitals, *connection: object) -> None:
        self._vitals = vitals
        super().__init__(*connection)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """One request."""
        vitals = self._vitals
        if self.path == "/metrics":
            self._answer(HTTPStatus.OK, metrics_text(vitals.counts()))
        elif self.path in ("/healthz", "/readyz"):
            wrong = vitals.alive() or ("" if self.path == "/healthz" else vitals.ready())
            status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
            self._answer(status, f"{wrong or 'ok'}\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "there are /healthz, /readyz and /metrics\n")

    def log_message(self, *_: object) -> None:
        """Silent: a balancer asks every few seconds."""

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", _TEXT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
