"""docs/your-own-shop.md, word by word: its program, its calls of grpcurl, and every message that it promises."""

import json
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from grpc_ingest.client import Batching, EventEncoder, EventError, IngestClient
from grpc_ingest.results import EventResult
from lakehouse.wire import ENVELOPE, FIRST_COLUMN_NUMBER
from tests.flow.nexus import ROOT, Nexus
from tests.flow.told_session import Session, blocks, told

PAGE = ROOT / "docs" / "your-own-shop.md"
PORT = "50051"
STAND_IN = Path(__file__).with_name("grpcurl.py")
SELLER = {"seller_id": "s", "seller_zip_code_prefix": "13023", "seller_city": "c", "seller_state": "SP"}
ENVELOPED = SELLER | {"occurred_at": 1, "source": "my-shop", "contract_version": "1.0.0"}


def promised() -> Iterator[dict[str, str]]:
    """The tables of messages on the page: what one has to do → what is said."""
    text = PAGE.read_text("utf-8").partition("## What can go wrong")[2]
    for table in text.split("| it says |")[1:]:
        rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table.partition("\n\n")[0], re.MULTILINE)
        yield dict(rows)


CLIENTS, HOSTS, AWAY = promised()


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.fixture(scope="module")
def grpcurl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """grpcurl itself where it is installed, else a stand-in that speaks reflection as it does."""
    real = shutil.which("grpcurl")
    call = tmp_path_factory.mktemp("grpcurl") / "grpcurl"
    call.write_text(f'#!/bin/sh\nexec {real or f"{sys.executable} {STAND_IN}"} "$@"\n')
    call.chmod(0o755)
    return call


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, grpcurl: Path) -> Iterator[dict[str, list[str]]]:
    """Told lines that a step did not answer, by command; then what each of the wrong calls answers, by what is done."""
    place, port = tmp_path_factory.mktemp("shop"), free_port()
    with Nexus(place / "lake") as nexus:
        session = Session(ROOT, place / "bin", NEXUS_LAKE=str(nexus.lake), PYTHONPATH=str(ROOT))
        shutil.copy(grpcurl, place / "bin" / "grpcurl")
        [program] = blocks(PAGE, "python")
        (place / "shop.py").write_text(program.replace(PORT, port))
        found: dict[str, list[str]] = {}
        for step in told(PAGE):
            command = step.command.replace(PORT, port).replace("shop.py", str(place / "shop.py"))
            if command == "nexus down":
                found["refused by the host"] = [
                    says
                    for done, event in BY_THE_HOST.items()
                    if (says := refused(session, port, done, event))
                ]
            if command.startswith("nexus where"):
                nexus.wait_until_checked(command.split()[-1])
            found[step.command] = session.missing(replace(step, command=command))
        yield found


def refused(session: Session, port: str, done: str, event: dict[str, Any]) -> str:
    """What is wrong with the answer to an event that the page says is refused; empty when all is as promised."""
    data = json.dumps({"event": event})
    said = session.run(f"grpcurl -plaintext -d '{data}' 127.0.0.1:{port} nexus.ingest.v1.Ingest/Put")
    return "" if "Code: InvalidArgument" in said and HOSTS[done] in said else f"{done}: {said}"


def without(name: str) -> dict[str, Any]:
    return {"sellers": {key: value for key, value in ENVELOPED.items() if key != name}}


BY_THE_HOST: dict[str, dict[str, Any]] = {
    "no entity": {},
    "no time": without("occurred_at"),
    "no source": without("source"),
    "no version": without("contract_version"),
    "a version that the host does not know": {"sellers": ENVELOPED | {"contract_version": "1.9.0"}},
    "another op": {"sellers": ENVELOPED | {"op": "insert"}},
}


def encode(entity: str, columns: dict[str, Any], moment: int | datetime = 1, **more: Any) -> None:
    EventEncoder("my-shop").encode(entity, columns, moment, **more)


BY_THE_CLIENT: dict[str, Callable[[], None]] = {
    "a column that is not there": lambda: encode("sellers", {"city": "campinas"}),
    "a number as text": lambda: encode("order_items", {"order_item_id": "one"}),
    "money as a float": lambda: encode("payments", {"payment_value": 12.5}),
    "an entity that is not there": lambda: encode("seller", {}),
    "a time without a zone": lambda: encode("sellers", {}, datetime(2026, 3, 4, 12, 30)),
    "another op": lambda: encode("sellers", {}, op="insert"),
}


def test_page_of_ones_own_shop_tells_what_happens(walked: dict[str, list[str]]) -> None:
    assert {command: lines for command, lines in walked.items() if lines} == {}
    assert sum(command.startswith("grpcurl") for command in walked) == 3, "the page lost its calls"


def test_page_promises_no_message_that_is_not_tried() -> None:
    assert CLIENTS.keys() == BY_THE_CLIENT.keys()
    assert HOSTS.keys() == BY_THE_HOST.keys()
    assert len(AWAY) == 1


@pytest.mark.parametrize("done", CLIENTS)
def test_client_refuses_with_the_words_of_the_page(done: str) -> None:
    with pytest.raises(EventError) as caught:
        BY_THE_CLIENT[done]()
    assert CLIENTS[done] in str(caught.value)


def test_client_without_a_host_says_so_when_it_gives_up() -> None:
    [says] = AWAY.values()
    results: list[EventResult] = []
    with IngestClient.connect(
        f"127.0.0.1:{free_port()}",
        "my-shop",
        batching=Batching(give_up_after_s=0.2),
        on_results=results.extend,
    ) as client:
        client.send("sellers", SELLER, 1)
    [refusal] = [result.refusal for result in results]
    assert refusal is not None
    assert refusal.retryable
    assert says in refusal.message


def test_page_names_every_field_of_the_envelope() -> None:
    text = PAGE.read_text("utf-8").partition("## The envelope")[2].partition("## What can go wrong")[0]
    listed = re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)
    assert [(int(number), name) for number, name in listed] == [(f.number, f.name) for f in ENVELOPE]
    assert f"Columns begin at number {FIRST_COLUMN_NUMBER}." in text
