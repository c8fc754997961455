"""A ledger that is lost, and one restored from a backup, under the real processes: nothing is lost with either."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.ledger import Ledger
from lakehouse.paths import Buckets
from local.lake import Lake
from local.ledger_access import open_ledger
from tests.builders.bronze import NOON
from tests.builders.ledger_content import content_of
from tests.flow.nexus import Nexus

SELLER = {"seller_zip_code_prefix": "13023", "seller_city": "campinas", "seller_state": "SP"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nexus]:
    """A lake after one demo, stopped."""
    with Nexus(tmp_path_factory.mktemp("lost") / "lake") as nexus:
        nexus.run("demo", "--orders", "200", "--seed", "5")
        yield nexus


def content(nexus: Nexus) -> dict[str, Any]:
    with open_ledger(Lake(nexus.lake, Buckets.of("olist-data-lake"))) as ledger:
        return content_of(ledger)


def differences(nexus: Nexus, code: int = 0) -> list[dict[str, str]]:
    found: list[dict[str, str]] = nexus.json("ledger", "check", "--minimum-age", "0", code=code)[
        "differences"
    ]
    return found


def send_sellers(nexus: Nexus, first: int, count: int = 2) -> list[str]:
    """Ids of so many sellers, each acknowledged."""
    ids = []
    for number in range(first, first + count):
        told = nexus.run("send", "sellers", json.dumps({"seller_id": f"{number:032x}"} | SELLER))
        ids.append(json.loads(told[: told.index("}") + 1])["event_id"])
    return ids


def require_in_silver(nexus: Nexus, ids: list[str]) -> None:
    for event_id in ids:
        assert [s["place"] for s in nexus.json("where", event_id)] == ["silver"]


def copy(folder: Path, to: Path) -> None:
    """With owners: PostgreSQL started by root runs as another account."""
    subprocess.run(["cp", "-a", folder, to], check=True)


def test_lost_ledger_is_rebuilt_equal_and_takes_more_events(demo: Nexus) -> None:
    lost = content(demo)
    assert differences(demo) == []
    shutil.rmtree(demo.lake / "pg")
    assert "nexus ledger rebuild" in demo.run("ledger", code=3)
    told = demo.run("ledger", "rebuild")
    assert f"{len(lost['objects'])} objects ({len(lost['objects'])} committed)" in told
    assert content(demo) == lost
    assert "not empty" in demo.run("ledger", "rebuild", code=3).replace("\n", " ")
    demo.run("up")
    assert "in use" in demo.run("ledger", "rebuild", code=3)
    ids = send_sellers(demo, 0)
    demo.run("down")
    require_in_silver(demo, ids)
    assert demo.json("ledger")["closed"]
    assert differences(demo) == []


def test_restored_ledger_takes_over_what_happened_since(demo: Nexus, tmp_path: Path) -> None:
    copy(demo.lake / "pg", tmp_path / "pg")
    demo.run("up")
    ids = send_sellers(demo, 10)
    demo.run("down")
    lose_a_log(demo)
    newer = content(demo)
    assert [void.reason for void in newer["void"]] == ["broker lost"]
    shutil.rmtree(demo.lake / "pg")
    copy(tmp_path / "pg", demo.lake / "pg")
    assert {d["kind"] for d in differences(demo, code=1)} == {"unannounced", "note"}
    demo.run("up")
    demo.run("down")
    restored = content(demo)
    assert restored == newer
    require_in_silver(demo, ids)
    assert demo.json("ledger")["closed"]
    assert differences(demo) == []


def lose_a_log(nexus: Nexus) -> None:
    """An event is acknowledged, and everything killed before it lands; the next start names the loss."""
    nexus.run("up")
    state = nexus.json("status")
    os.kill(state["children"]["writer"], signal.SIGSTOP)
    send_sellers(nexus, 20, 1)
    for pid in [state["supervisor_pid"], *state["children"].values()]:
        if pid:
            os.kill(pid, signal.SIGKILL)
    nexus.run("up")
    nexus.run("down")


def test_doctor_finds_what_is_wrong_and_nothing_else(demo: Nexus) -> None:
    states = {f["subject"]: f["state"] for f in demo.json("doctor")}
    assert "problem" not in states.values()
    assert states["void"] == "note"
    silver = next((demo.lake / "lake" / "olist-data-lake-silver" / "orders").rglob("*.parquet"))
    whole = silver.read_bytes()
    silver.write_bytes(whole[:-10])
    told = demo.run("doctor", code=1)
    assert f"problem files: {silver}" in told
    assert "1 problems" in told
    kinds = [d["kind"] for d in differences(demo, code=1)]
    assert sorted(kinds) == ["file", "output missing"]
    silver.write_bytes(whole)
    assert "no problems" in demo.run("doctor")


def test_status_shows_all_in_one_glance(demo: Nexus) -> None:
    demo.run("up")
    told = demo.run("status")
    for part in ("gRPC", "Silver +", "to land", "published", "will never land (broker lost)"):
        assert part in told
    assert "lake, ledger and broker agree" in demo.run("ledger", "check", "--minimum-age", "0")
    state = json.loads((demo.lake / "run" / "state.json").read_text())
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    where = {"AWS_ENDPOINT_URL": state["aws_url"], "NEXUS_LEDGER_URL": state["ledger_url"]}
    over_s3 = Nexus(demo.lake.parent / "elsewhere", **keys, **where)
    assert "lake and ledger" in over_s3.run("ledger", "check", "--s3", "--minimum-age", "0")
    assert "not empty" in over_s3.run("ledger", "rebuild", "--s3", code=3).replace("\n", " ")
    demo.run("down")
    assert "nexus up" in demo.run("status", code=1)


def test_log_of_a_kafka_that_is_gone_is_closed_by_hand(demo: Nexus) -> None:
    """The ledger has seen offsets of it that nobody can land any more: they are named, and the balance closes."""
    old = "shop-2025"
    assert "nexus up" in demo.run("ledger", "close", old, code=3)
    demo.run("up")
    state = json.loads((demo.lake / "run" / "state.json").read_text())
    with Ledger.connect(state["ledger_url"]).connection as connection:
        Ledger(connection).observe_partition(old, "orders.v1", 0, "orders", 0, 12, NOON)
    assert not demo.json("ledger", code=1)["closed"]
    assert "has no log shop-2024" in demo.run("ledger", "close", "shop-2024", code=3)
    assert "the one in use" in demo.run("ledger", "close", state["log"], code=3)
    for _ in range(2):
        told = demo.run("ledger", "close", old)
        assert "shop-2025/orders.v1/0 offsets 0 to 11 (12): log closed" in told
    assert demo.json("ledger")["closed"]
    demo.run("down")
    assert differences(demo) == []
