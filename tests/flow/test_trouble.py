"""Bad input and trouble: one message that says what to do, no traceback, the same command again finishes the work."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from local.shop import generate_shop
from tests.flow.nexus import Nexus


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_shop(tmp_path_factory.mktemp("shop") / "files", 3, 200).folder


def spoil(shop: Path, folder: Path, name: str, body: bytes | None) -> Path:
    """A copy of the shop with one file changed (None: absent)."""
    folder.mkdir()
    for file in shop.glob("*.csv"):
        if file.name != name:
            (folder / file.name).write_bytes(file.read_bytes())
    if body is not None:
        (folder / name).write_bytes(body)
    return folder


ORDERS = "olist_orders_dataset.csv"


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        (ORDERS, None, "missing"),
        (ORDERS, b"", "empty"),
        (ORDERS, b"order_id;customer_id\n1;2\n", ";"),
        (ORDERS, b"order_id,customer_id\n1,2\n", "order_status"),
        (ORDERS, "order_id,customer_id,order_status".encode("utf-16"), "UTF-8"),
    ],
)
def test_demo_on_a_broken_folder_says_what_is_wrong(
    shop: Path, tmp_path: Path, name: str, body: bytes | None, says: str
) -> None:
    folder = spoil(shop, tmp_path / "broken", name, body)
    told = Nexus(tmp_path / "lake").run("demo", "--data", str(folder), code=3)
    assert says in told
    assert name in told.replace("\n", "")


def test_demo_on_a_missing_folder_says_so(tmp_path: Path) -> None:
    told = Nexus(tmp_path / "lake").run("demo", "--data", str(tmp_path / "nowhere"), code=3)
    assert "nowhere" in told.replace("\n", "")


def test_commands_on_a_lake_that_is_not_there_say_how_to_make_one(tmp_path: Path) -> None:
    nexus = Nexus(tmp_path / "lake")
    for arguments in (["ledger"], ["where", "x"], ["quarantine", "list"], ["report"]):
        assert "nexus up" in nexus.run(*arguments, code=3)
    assert "nexus model" in nexus.run("query", "select 1", code=3)
    assert "nexus up" in nexus.run("send", "orders", "{}", code=3)
    assert "nexus up" in nexus.run("status", code=1)


def test_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Nexus(tmp_path / "lake") as nexus:
        told = nexus.run("up", "--grpc-port", str(taken.getsockname()[1]), code=3)
    assert "another program" in told or "Stop the program" in told


def test_interrupted_demo_drains_and_the_same_command_finishes(shop: Path, tmp_path: Path) -> None:
    with Nexus(tmp_path / "lake") as nexus:
        process = nexus.start("demo", "--data", str(shop))
        wait_until_running(nexus)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 130, err
        assert "Traceback" not in err
        nexus.run("demo", "--data", str(shop))
        assert nexus.json("ledger")["closed"]


def test_fault_51_killed_postgres_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    with Nexus(tmp_path / "lake") as nexus:
        nexus.run("up")
        os.kill(nexus.json("status")["children"]["postgres"], signal.SIGKILL)
        nexus.run("demo", "--orders", "200")
        assert nexus.json("ledger")["closed"]


def test_second_demo_at_the_same_time_is_refused(tmp_path: Path) -> None:
    with Nexus(tmp_path / "lake") as nexus:
        first = nexus.start("demo", "--orders", "200")
        wait_until_running(nexus)
        assert "A demo runs on this lake already" in nexus.run("demo", code=3).replace("\n", " ")
        out, err = first.communicate(timeout=240)
        assert first.returncode == 0, out + err


def wait_until_running(nexus: Nexus) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = nexus.start("status", "--json")
        status.communicate(timeout=60)
        if status.returncode == 0:
            return
    raise AssertionError("the lake did not start within a minute")
