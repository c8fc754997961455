"""The client, when what it talks to is silent, away, something else, or when its own program fails."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from grpc_ingest.client import Batching, EventResult, IngestClient
from lakehouse.errors import BrokerError
from tests.builders.events import MOMENT, an_order
from tests.flow.ingest_processes import (
    WAIT_S,
    BrokerProcess,
    a_host,
)


def test_stream_that_is_never_answered_is_given_up(tmp_path: Path, broker: BrokerProcess) -> None:
    results: list[EventResult] = []
    with a_host(tmp_path, broker, NEXUS_BACKLOG_BYTES="500") as host:
        batching = Batching(size=1, give_up_after_s=1.0)
        with IngestClient.connect(
            host.address, "web-shop", batching=batching, on_results=results.extend
        ) as client:
            for number in range(20):
                client.send("orders", an_order(order_id=f"o-{number}"), MOMENT)
    assert len(results) == 20
    given_up = [r for r in results if r.position is None]
    assert given_up
    assert all(r.refusal is not None and r.refusal.retryable for r in given_up)


def test_host_that_is_not_there_is_told_of_and_waited_for(tmp_path: Path, broker: BrokerProcess) -> None:
    results: list[EventResult] = []
    with a_host(tmp_path, broker) as host:
        address = host.address
        host.kill()
        batching = Batching(give_up_after_s=0.5)
        with IngestClient.connect(
            address, "web-shop", batching=batching, on_results=results.extend
        ) as client:
            client.send("orders", an_order(), MOMENT)
        assert results[0].refusal is not None
        assert results[0].refusal.message.startswith("no ingest host")
        with IngestClient.connect(address, "web-shop", on_results=results.extend) as client:
            client.send("orders", an_order(), MOMENT)
            host.environment["NEXUS_GRPC_PORT"] = address.rpartition(":")[2]
            host.start()
        assert results[-1].position is not None


def test_something_else_on_the_port_is_an_error_that_says_so() -> None:
    """A client that talks to what is no ingest host stops and tells the program."""
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = IngestClient.connect(f"127.0.0.1:{port}", "web-shop")

    def send() -> None:
        client.send("orders", an_order(), MOMENT)  # may know it already
        client.flush(WAIT_S)

    with pytest.raises(BrokerError, match="does not take this stream"):
        send()
    with pytest.raises(BrokerError):
        client.send("orders", an_order(), MOMENT)
    with pytest.raises(BrokerError):
        client.close()
    server.stop(0).wait()


def test_program_whose_callback_fails_is_told(tmp_path: Path, broker: BrokerProcess) -> None:
    def fail(_results: object) -> None:
        raise ZeroDivisionError("the program's own")

    with a_host(tmp_path, broker) as host:
        client = IngestClient.connect(host.address, "web-shop", on_results=fail)
        client.send("orders", an_order(), MOMENT)
        with pytest.raises(BrokerError, match="the program's own"):
            client.flush(WAIT_S)
        with pytest.raises(BrokerError):
            client.close()
