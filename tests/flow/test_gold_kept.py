"""What builds keep for the next one: what an increment touches, what failures and kills leave, what a loss costs."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.dbt_build import ModelFailed
from local.gold import PublishedGold, query, read_published
from local.kept_gold import read_kept
from local.model import refresh_gold
from tests.builders.silver import SilverLake, a_deletion, a_silver_row, an_id, civil
from tests.builders.silver_shop import shop_rows
from tests.fakes.folder_store import FolderStore
from tests.flow.struck_model import AT, BUCKET, silver_files

Tables = dict[str, list[tuple[Any, ...]]]


class Shop:
    """A lake whose Silver is `silver/`, and its Gold."""

    def __init__(self, root: Path) -> None:
        self.root, self.silver, self.store = root, SilverLake(root / "silver"), FolderStore(root)

    def build(
        self, name: str, progress: Callable[..., None] = lambda *_: None, *, full: bool = False
    ) -> PublishedGold:
        self.store.calls.clear()
        files = silver_files(self.root)
        return refresh_gold(files, self.root / "model", self.store, BUCKET, name, AT, progress, full=full)

    def struck(self, name: str, when: str, key: str) -> None:
        command = [sys.executable, "-m", "tests.flow.struck_model", str(self.root), name, when, key]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL

    def tables(self) -> Tables:
        published = read_published(self.root, BUCKET)
        assert published is not None
        return {name: query(self.root, BUCKET, f"from {name} order by all").rows for name in published.tables}

    def put(self) -> set[str]:
        return {key for what, key in self.store.calls if what == "put"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop in a lake of its own: all rows are in Gold."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    for entity, rows in shop_rows().items():
        shop.silver.add(entity, rows)
    shop.build("b1")
    shutil.copytree(shop.root, f"{shop.root}-built", ignore=shutil.ignore_patterns("target", "logs"))
    return shop.root


@pytest.fixture
def shop(built: Path) -> Shop:
    """The small shop again, in the same place, so that dbt knows the project already."""
    for part in ("lake", "silver", "model/kept.duckdb"):
        path = built / part
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    shutil.copytree(f"{built}-built", built, dirs_exist_ok=True)
    shop = Shop(built)
    shop.silver.offset = 50_000  # behind all positions of the small shop
    return shop


def a_late_order(shop: Shop) -> None:
    """Order 4 was bought in June, as it turns out: its item leaves January."""
    changes = {"customer_id": an_id(12), "order_purchase_timestamp": civil("2018-06-01 10:00:00")}
    shop.silver.add(
        "orders", [a_silver_row("orders", order_id=an_id(4), occurred_at=civil("2026-11-03"), **changes)]
    )


def test_correction_rewrites_the_month_left_and_the_month_entered(shop: Shop) -> None:
    a_late_order(shop)
    published = shop.build("b2")
    facts = {key for key in shop.put() if "/fact_" in key}
    assert facts == {"builds/b2/fact_sales/2018-06.parquet"}
    assert set(published.tables["fact_sales"].files) == {"2018-03", "2018-06", "unknown"}
    assert published.tables["fact_sales"].files["2018-03"].key == "builds/b1/fact_sales/2018-03.parquet"
    assert not any("dim_product" in key or "dim_seller" in key for key in shop.put())
    by_increment = shop.tables()
    shop.build("b3", full=True)
    assert shop.tables() == by_increment


def test_nothing_new_leaves_gold_as_it_is(shop: Shop) -> None:
    before = read_published(shop.root, BUCKET)
    assert shop.build("b2") == before
    assert shop.store.calls == []


def test_fault_40_resent_rows_rewrite_no_fact(shop: Shop) -> None:
    shop.silver.add("order_items", [a_silver_row("order_items")])
    shop.build("b2")
    assert not any("/fact_" in key for key in shop.put())


@pytest.mark.parametrize("loss", ["gone", "broken", "of another build"])
def test_kept_tables_that_do_not_serve_are_made_anew(shop: Shop, loss: str) -> None:
    kept = shop.root / "model/kept.duckdb"
    if loss == "gone":
        kept.unlink()
    elif loss == "broken":
        kept.write_bytes(b"\0" * 5_000)
    else:
        other = kept.read_bytes()
        a_late_order(shop)
        for build in ("b2", "b3"):  # b1 is then neither the published one nor the one before
            shop.silver.add(
                "sellers", [a_silver_row("sellers", seller_id=an_id(34 if build == "b2" else 35))]
            )
            shop.build(build)
        kept.write_bytes(other)
    shop.silver.add("payments", [a_deletion("payments", order_id=an_id(1), payment_sequential=1)])
    published = shop.build("b4")
    assert {key.split("/")[1] for table in published.tables.values() for key in table.keys} == {"b4"}
    in_full = shop.tables()
    assert read_kept(shop.root / "model") is not None
    shop.build("b5", full=True)
    assert shop.tables() == in_full


def test_silver_that_is_no_longer_committed_leaves_gold(shop: Shop) -> None:
    stray = shop.silver.add("sellers", [a_silver_row("sellers", seller_id=an_id(36))])
    shop.build("b2")
    stray.unlink()
    shop.build("b3")
    assert query(shop.root, BUCKET, f"from dim_seller where seller_key = '{an_id(36)}'").rows == []


def test_failed_increment_changes_nothing_and_its_silver_is_read_again(shop: Shop) -> None:
    before, kept = shop.tables(), read_kept(shop.root / "model")
    a_late_order(shop)
    bad = shop.silver.add("order_items", [a_silver_row("order_items", order_id=None)])
    with pytest.raises(ModelFailed, match=r"current_order_items_has_its_key: 1 row breaks it; see .*found"):
        shop.build("b2")
    assert shop.tables() == before
    assert shop.store.calls == []
    assert read_kept(shop.root / "model") == kept
    bad.unlink()
    shop.build("b3")
    assert ("2018-06",) in query(shop.root, BUCKET, "select event_month from fact_sales").rows


def test_readers_see_the_old_gold_while_a_build_runs(shop: Shop) -> None:
    a_late_order(shop)
    seen: list[bool] = []
    sql = "select count(*) from fact_sales where event_month = '2018-06'"
    shop.build("b2", lambda *_: seen.append(query(shop.root, BUCKET, sql).rows == [(0,)]))
    assert len(seen) > 50
    assert all(seen)
    assert query(shop.root, BUCKET, sql).rows == [(1,)]


@pytest.mark.parametrize(
    ("when", "key"), [("before", ".parquet"), ("before", "published.json"), ("after", "published.json")]
)
def test_killed_build_is_made_good_by_the_next(shop: Shop, when: str, key: str) -> None:
    before = shop.tables()
    a_late_order(shop)
    shop.struck("b2", when, key)
    if when == "before":
        assert shop.tables() == before
    shop.silver.add("payments", [a_deletion("payments", order_id=an_id(1), payment_sequential=1)])
    published = shop.build("b3")
    assert published.previous == ("b2" if when == "after" else "b1")
    assert published.tables["fact_payments"].files["unknown"].key == "builds/b1/fact_payments/unknown.parquet"
    by_increment = shop.tables()
    shop.build("b4", full=True)
    assert shop.tables() == by_increment


def test_killed_full_build_is_made_good_by_the_next(shop: Shop) -> None:
    (shop.root / "model/kept.duckdb").unlink()
    shop.struck("b2", "after", "published.json")
    tables = shop.tables()
    a_late_order(shop)
    shop.build("b3")
    assert shop.tables()["dim_product"] == tables["dim_product"]
    assert ("2018-06",) in query(shop.root, BUCKET, "select event_month from fact_sales").rows
