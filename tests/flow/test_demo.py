"""The whole pipeline on a small shop, compared with the shop's own account of what must be where and why."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.catalog import load_entities
from tests.flow.nexus import Nexus

ORDERS, SEED = "300", "7"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nexus]:
    """A lake after one demo, stopped."""
    with Nexus(tmp_path_factory.mktemp("demo") / "lake") as nexus:
        nexus.run("demo", "--orders", ORDERS, "--seed", SEED)
        yield nexus


@pytest.fixture(scope="module")
def account(demo: Nexus) -> dict[str, Any]:
    """What the shop says must have become of its rows."""
    folder = demo.lake / "shop" / f"seed-{SEED}-orders-{ORDERS}"
    found: dict[str, Any] = json.loads((folder / "shop.json").read_text("utf-8"))
    return found


def held(nexus: Nexus, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = nexus.json("quarantine", "show", "--limit", "10000", *arguments)
    return rows


def test_demo_closes_the_balance_with_the_shops_own_counts(demo: Nexus, account: dict[str, Any]) -> None:
    told = demo.json("ledger")
    assert told["closed"]
    assert {
        name: tuple(balance[layer]["rows"] for layer in ("bronze", "silver", "quarantine"))
        for name, balance in told["entities"].items()
    } == {name: (e["bronze"], e["silver"], e["quarantine"]) for name, e in account["entities"].items()}


def test_demo_quarantines_each_row_for_the_rules_the_shop_broke(demo: Nexus, account: dict[str, Any]) -> None:
    warns = {
        (e.name, rule.id) for e in load_entities().values() for rule in e.rules if rule.severity == "warn"
    }
    planted = Counter(
        (d["entity"], frozenset(r for r in d["rules"] if (d["entity"], r) not in warns))
        for d in account["defects"]
        if d["fate"] == "quarantine"
    )
    assert (
        Counter((row["entity"], frozenset(r["rule"] for r in row["reasons"])) for row in held(demo))
        == planted
    )


def test_demo_shows_the_shops_totals_in_gold(demo: Nexus, account: dict[str, Any]) -> None:
    gold = account["gold"]
    [sales] = demo.query("select count(*) n, sum(price) p, sum(freight_value) f from fact_sales")
    items = gold["order_items"]
    assert (sales["n"], f"{sales['p']:.2f}", f"{sales['f']:.2f}") == (
        items["rows"],
        items["price"],
        items["freight_value"],
    )
    [paid] = demo.query("select count(*) n, sum(payment_value) v from fact_payments")
    assert (paid["n"], f"{paid['v']:.2f}") == (gold["payments"]["rows"], gold["payments"]["payment_value"])
    [reviews] = demo.query("select count(*) n, sum(review_score) s from fact_reviews")
    assert (reviews["n"], reviews["s"]) == (gold["reviews"]["rows"], gold["reviews"]["review_score"])


def test_demo_where_tells_the_truth_of_good_held_and_resent_events(
    demo: Nexus, account: dict[str, Any]
) -> None:
    [row, *_] = held(demo, "--entity", "orders")
    [sighting] = demo.json("where", row["event_id"])
    assert sighting["place"] == "quarantine"
    assert [r["rule"] for r in sighting["reasons"]] == [r["rule"] for r in row["reasons"]]
    deleted = {json.dumps(d["key"]) for d in account["deletes"]}
    resent = next(
        r for r in account["resends"] if r["entity"] == "payments" and json.dumps(r["key"]) not in deleted
    )
    sightings = demo.json("where", event_of(demo, resent["entity"], resent["key"]))
    assert [s["place"] for s in sightings] == ["silver", "silver"]
    assert [s["in_gold"] for s in sightings] == [False, True]
    assert demo.run("where", "never-sent", code=1)


def all_of_gold(nexus: Nexus) -> dict[str, list[dict[str, Any]]]:
    names = [row["name"] for row in nexus.query("show tables")]
    return {name: nexus.query(f"select * from {name} order by all") for name in names}


def event_of(nexus: Nexus, entity: str, key: dict[str, str]) -> str:
    """Id of an event that stands twice in Bronze under this key."""
    import duckdb

    files = str(nexus.lake / "lake" / "olist-data-lake-bronze" / entity / "*" / "*" / "*" / "*.parquet")
    where = " and ".join(f"cast({name} as varchar) = '{value}'" for name, value in key.items())
    with duckdb.connect() as db:
        [(event_id,)] = db.execute(
            f"select event_id from read_parquet(?) where {where} group by 1 having count(*) = 2", [files]
        ).fetchall()
    return str(event_id)


def test_demo_writes_a_page_that_says_so(demo: Nexus) -> None:
    page = (demo.lake / "report.html").read_text("utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_second_demo_adds_resent_events_only(demo: Nexus, account: dict[str, Any]) -> None:
    before = all_of_gold(demo)
    quarantined = {row["event_id"] for row in held(demo)}
    told = demo.run("demo", "--orders", ORDERS, "--seed", SEED)
    assert "resent events" in told
    ledger = demo.json("ledger")
    assert ledger["closed"]
    for name, entity in account["entities"].items():
        runs = 2 if entity["events"] else 1
        assert ledger["entities"][name]["bronze"]["rows"] == runs * entity["bronze"], name
    assert {row["event_id"] for row in held(demo)} == quarantined
    for reason in demo.json("quarantine", "list"):
        runs = 2 if account["entities"][reason["entity"]]["events"] else 1
        assert reason["rows"] == runs * reason["events"], reason
    assert all_of_gold(demo) == before


def test_lake_goes_on_after_kill_9_of_every_process(demo: Nexus) -> None:
    demo.run("up")
    state = demo.json("status")
    old = held(demo)[0]["event_id"]
    for pid in [state["supervisor_pid"], *state["children"].values()]:
        if pid:
            os.kill(pid, signal.SIGKILL)
    demo.run("up")
    seller = {"seller_zip_code_prefix": "13023", "seller_city": "campinas", "seller_state": "SP"}
    told = demo.run("send", "sellers", json.dumps({"seller_id": "6560211a19b47992c3666cc44a7e94c0"} | seller))
    new = json.loads(told[: told.index("}") + 1])["event_id"]
    demo.run("down")
    assert demo.json("ledger")["closed"]
    assert demo.json("where", new)[0]["place"] == "silver"
    assert demo.json("where", old)[0]["place"] == "quarantine"


def test_truncated_file_ends_in_quarantine_in_words(demo: Nexus, tmp_path: Path) -> None:
    header = "review_id,order_id,review_score,review_comment_title,review_comment_message"
    header += ",review_creation_date,review_answer_timestamp"
    rows = [f"{n:032x},{n:032x},5,,Entrega em tempo,," for n in range(40)]
    file = tmp_path / "truncated.csv"
    file.write_text("\n".join([header, *rows, ""]), "utf-8")
    demo.run("up")
    assert "40 records" in demo.run("load", "reviews", str(file))
    assert "nothing changed" in demo.run("load", "reviews", str(file))
    demo.run("down")
    shown = demo.run("quarantine", "show", "--entity", "reviews", "--rule", "review_creation_date_present")
    assert "The creation date is missing." in shown
