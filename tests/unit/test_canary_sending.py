"""The canary's way to the balancer: TLS, the name in the certificate, and what it says when that does not fit."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from grpc_ingest.client import Batching, EventResult, IngestClient
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from lambdas.canary.events import events_of
from lambdas.canary.sending import send
from lambdas.canary.settings import Settings
from tests.builders.bronze import NOON
from tests.builders.events import MOMENT, an_order
from tests.unit.test_canary import ENVIRONMENT

NAME = "ingest.example.com"


class Edge(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Acknowledges every event, with positions in the order in which they come."""

    def __init__(self) -> None:
        self.stored = 0

    def service(self, _details: object) -> Any:
        return grpc.stream_stream_rpc_method_handler(
            self._answer, request_deserializer=ingest_pb2.PutStreamRequest.FromString
        )

    def _answer(self, requests: Iterator[Any], _context: object) -> Iterator[bytes]:
        for request in requests:
            answer = ingest_pb2.PutStreamResponse(batch_id=request.batch_id)
            for event in request.events:
                at = {"log": "l-1", "topic": "orders.v1", "partition": 0, "offset": self.stored}
                self.stored += 1
                answer.verdicts.add(event_id=event.orders.event_id, position=at)
            yield answer.SerializeToString()


def own_certificate() -> tuple[bytes, bytes]:
    """Key and certificate of a name, which nobody but itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return (
        key.private_bytes(serialization.Encoding.PEM, form, plain),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


@pytest.fixture
def edge() -> Iterator[tuple[str, bytes]]:
    """Address of a host with TLS, and its certificate."""
    key, certificate = own_certificate()
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, handlers=[Edge()])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
        server.start()
        yield f"127.0.0.1:{port}", certificate
        server.stop(None).wait()


def send_one(address: str, certificate: bytes, name: str) -> EventResult:
    results: list[EventResult] = []
    with IngestClient.connect(
        address,
        "web-shop",
        batching=Batching(give_up_after_s=0.5),
        on_results=results.extend,
        credentials=grpc.ssl_channel_credentials(certificate),
        certificate_name=name,
    ) as client:
        client.send("orders", an_order(), MOMENT)
    [result] = results
    return result


def test_client_finds_the_name_in_the_certificate_of_a_host_by_address(edge: tuple[str, bytes]) -> None:
    assert send_one(*edge, NAME).position is not None


def test_client_refuses_a_certificate_of_another_name_and_says_so(edge: tuple[str, bytes]) -> None:
    refusal = send_one(*edge, "other.example.com").refusal
    assert refusal is not None
    assert "Hostname Verification Check failed" in refusal.message


def a_canary(address: str, name: str) -> Settings:
    return replace(Settings.from_env(ENVIRONMENT), ingest_address=address, certificate_name=name)


def test_canary_sends_nothing_to_a_host_that_nobody_vouches_for(edge: tuple[str, bytes]) -> None:
    events = events_of("run-1", NOON)
    sent = send(a_canary(edge[0], NAME), events, NOON, give_up_s=0.5)
    assert sent.positions == {}
    assert len(sent.refusals) == len(events)
    assert "certificate" in sent.refusals[0].lower()


def test_canary_learns_where_each_event_stands() -> None:
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, handlers=[Edge()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        events = events_of("run-1", NOON)
        sent = send(a_canary(f"127.0.0.1:{port}", ""), events, NOON)
        server.stop(None).wait()
    assert sent.refusals == ()
    assert {event.event_id for event in events} == set(sent.positions)
    assert sorted(position.offset for position in sent.positions.values()) == list(range(100))
