"""Gold follows Silver while a lake runs: through a build that fails, a process that is killed, and to the end."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.gold import query, silver_keys
from local.refresh_trouble import read_trouble
from tests.deadline import wait_until
from tests.flow.nexus import Nexus

# A process's first build takes 15 CPU seconds.
PATIENCE_S = 240.0
BUCKET = "olist-data-lake-gold"
SELLER = {"seller_zip_code_prefix": "13023", "seller_city": "campinas", "seller_state": "SP"}


@pytest.fixture
def nexus(tmp_path: Path) -> Iterator[Nexus]:
    with Nexus(tmp_path / "lake", NEXUS_REFRESH="on") as nexus:
        nexus.run("up")
        yield nexus


def send_seller(nexus: Nexus, number: int) -> str:
    told = nexus.run("send", "sellers", json.dumps({"seller_id": f"{number:032x}"} | SELLER))
    assert "Gold follows by itself" in told
    event_id: str = json.loads(told[: told.index("}") + 1])["event_id"]
    return event_id


def wait_for_sellers(nexus: Nexus, count: int) -> None:
    """Each came in an object of its own."""
    wait_until(
        lambda: len(silver_keys(nexus.lake, BUCKET)) == count,
        f"seller {count} did not come to Gold",
        PATIENCE_S,
    )
    assert sellers(nexus) == count


def sellers(nexus: Nexus) -> int:
    """Known ones, of published Gold."""
    [(count,)] = query(
        nexus.lake, BUCKET, "select count(*) from dim_seller where seller_key <> 'unknown'"
    ).rows
    return int(count)


def gold_problems(nexus: Nexus) -> list[str]:
    found = nexus.json("status")["findings"]
    return [f["text"] for f in found if f["subject"] == "Gold" and f["state"] == "problem"]


def test_gold_follows_silver_through_trouble_and_to_the_end(nexus: Nexus) -> None:
    send_seller(nexus, 1)
    wait_for_sellers(nexus, 1)

    # an object that is broken before anybody has built of it
    process = nexus.json("status")["children"]["gold"]
    os.kill(process, signal.SIGSTOP)
    second = send_seller(nexus, 2)
    nexus.wait_until_checked(second)
    [sighting] = nexus.json("where", second)
    silver = nexus.lake / "lake/olist-data-lake-silver" / sighting["output_key"]
    whole = silver.read_bytes()
    silver.write_bytes(b"PAR1 this is no Parquet file PAR1")
    os.kill(process, signal.SIGCONT)
    wait_until(lambda: read_trouble(nexus.lake / "run") is not None, "no build has failed", PATIENCE_S)
    [problem] = gold_problems(nexus)
    assert "to build it has failed" in problem
    assert "model current_sellers: " in problem
    assert sellers(nexus) == 1

    os.kill(process, signal.SIGKILL)
    silver.write_bytes(whole)
    wait_for_sellers(nexus, 2)
    assert gold_problems(nexus) == []
    assert nexus.json("status")["children"]["gold"] not in (0, process)
    assert "holds everything that is committed" in nexus.run("model")

    send_seller(nexus, 3)
    nexus.run("down")
    assert sellers(nexus) == 3
