"""The contracts' rules as tests of dbt over Silver files: they find what the check hop warns of and never lets in."""

from datetime import datetime
from pathlib import Path

import pytest

from local.dbt_build import SilverBroken
from local.model import judge_silver
from tests.builders.silver import SilverLake, a_silver_row, an_id, civil


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all runs of this file: what dbt has parsed is used again."""
    return tmp_path_factory.mktemp("it's [a] lake") / "contracts"


def judged(lake: SilverLake, work_dir: Path) -> dict[str, int]:
    found = judge_silver(lake.files, work_dir, lambda *_: None)
    return {finding.test: finding.rows for finding in found}


def test_rules_of_severity_warn_are_found_in_silver(tmp_path: Path, work_dir: Path) -> None:
    lake = SilverLake(tmp_path)
    before: datetime = civil("2018-02-01 00:00:00")
    lake.add(
        "orders",
        [
            a_silver_row("orders"),
            a_silver_row("orders", order_id=an_id(2), order_delivered_customer_date=None),
            a_silver_row("orders", order_id=an_id(3), order_delivered_carrier_date=before),
            a_silver_row("orders", order_id=an_id(4), op="delete", order_status=None, customer_id=None),
        ],
    )
    lake.add("customers", [a_silver_row("customers")])
    assert judged(lake, work_dir) == {
        "orders__delivered_has_customer_date": 1,
        "orders__carrier_after_approval": 1,
        "orders__carrier_after_purchase": 1,
    }
    kept = (work_dir / "found/orders__delivered_has_customer_date.csv").read_text()
    assert an_id(2) in kept


def test_rules_of_severity_error_that_silver_breaks_are_told_with_their_rows(
    tmp_path: Path, work_dir: Path
) -> None:
    lake = SilverLake(tmp_path)
    lake.add("orders", [a_silver_row("orders", order_status="lost"), a_silver_row("orders", order_id="x\n")])
    with pytest.raises(SilverBroken, match="Silver holds what its contracts do not allow") as raised:
        judged(lake, work_dir)
    told = sorted(problem.split(":")[0] for problem in raised.value.problems)
    assert told == ["test orders__order_id_is_id", "test orders__order_status_known"]
    assert "lost" in (work_dir / "found/orders__order_status_known.csv").read_text()


def test_fault_40_events_of_two_payloads_are_counted_and_shown(tmp_path: Path, work_dir: Path) -> None:
    """In whichever objects they came; copies are none."""
    lake = SilverLake(tmp_path)
    again = {"event_id": "resent", "order_id": an_id(2)}
    lake.add(
        "orders",
        [
            a_silver_row("orders"),
            a_silver_row("orders", **again, order_status="shipped"),
            a_silver_row("orders", event_id="copied", order_id=an_id(3)),
        ],
    )
    lake.add(
        "orders",
        [
            a_silver_row("orders", **again, order_status="delivered"),
            a_silver_row("orders", event_id="copied", order_id=an_id(3)),
        ],
    )
    assert judged(lake, work_dir) == {"orders__event_says_one_thing": 1}
    assert "resent,2" in (work_dir / "found/orders__event_says_one_thing.csv").read_text()
