"""What the doctor finds wrong, and that it finds nothing wrong where all is well."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.ledger import Ledger, Opened
from lakehouse.errors import RuntimeFault
from lakehouse.paths import Buckets, LoadManifestKey
from local import machine
from local.doctor import examine_ledger, examine_running
from local.finding import Finding
from local.lake import Lake
from local.lake_folder import MIN_FREE_BYTES
from local.lake_pairs import md5_of
from local.lake_store import LakeFiles
from local.refresh_trouble import Trouble, note_trouble
from local.run_state import Running
from tests.builders.bronze import NOON, PINS, a_bronze_object, an_outcome, seen

LOCK = """
boto3==1.43.0 \\
    --hash=sha256:aa
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:bb
ruamel-yaml==0.18.6 \\
    --hash=sha256:cc
"""


def require_helpful(finding: Finding) -> None:
    assert finding.state == "problem"
    assert finding.text
    assert finding.remedy


# --- the machine


def test_python_that_is_too_old_is_named() -> None:
    assert machine.python_version((3, 11, 0)).state == "ok"
    old = machine.python_version((3, 10, 9))
    require_helpful(old)
    assert "3.10.9" in old.text


@pytest.mark.parametrize(
    ("installed", "says"),
    [
        ({"boto3": "1.43.0", "ruamel-yaml": "0.18.6"}, ""),
        ({"boto3": "1.42.9", "ruamel-yaml": "0.18.6"}, "boto3 1.42.9, locked is 1.43.0"),
        ({"boto3": "1.43.0"}, "ruamel-yaml is missing, locked is 0.18.6"),
    ],
)
def test_packages_that_are_not_as_locked_are_named(installed: dict[str, str], says: str) -> None:
    """colorama is locked for Windows alone, and may be missing elsewhere."""
    finding = machine.packages(LOCK, installed)
    assert finding.state == ("problem" if says else "ok")
    if says:
        assert finding.text == says
        assert "make setup" in finding.remedy


def test_packages_name_three_and_count_the_rest() -> None:
    lock = "".join(f"package{n}==1.0 \\\n    --hash=sha256:aa\n" for n in range(5))
    assert machine.packages(lock, {}).text.endswith("and 2 more")


def test_packages_of_this_very_environment_are_seen() -> None:
    assert machine.installed()["pytest"] == pytest.__version__


def test_disk_that_is_nearly_full_is_named(tmp_path: Path) -> None:
    assert machine.disk(tmp_path, MIN_FREE_BYTES).state == "ok"
    require_helpful(machine.disk(tmp_path, MIN_FREE_BYTES - 1))


def test_folder_of_another_account_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lake" / "olist-bronze").mkdir(parents=True)
    assert machine.folder(tmp_path).state == "ok"
    assert machine.folder(tmp_path / "to" / "be" / "made").state == "ok"
    monkeypatch.setattr("local.machine.os.access", lambda path, _mode: path.name != "olist-bronze")
    finding = machine.folder(tmp_path)
    require_helpful(finding)
    assert "olist-bronze" in finding.text


def test_loopback_that_is_closed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.loopback().state == "ok"

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("local.machine.socket.create_server", refuse)
    require_helpful(machine.loopback())


def test_kafka_that_is_not_ready_matters_only_to_who_wants_it() -> None:
    def missing() -> None:
        raise RuntimeFault("Fetch them once: make kafka")

    assert machine.kafka(True, lambda: "java", lambda: "jars").state == "ok"
    assert machine.kafka(False, lambda: "java", missing).state == "note"
    finding = machine.kafka(True, missing, lambda: "jars")
    require_helpful(finding)
    assert "make kafka" in finding.text


def test_processes_of_an_earlier_run_are_named_until_they_end(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, cwd=tmp_path / "run", stdin=subprocess.PIPE) as process:
        [finding] = machine.left_over(tmp_path, 0)
        require_helpful(finding)
        assert finding.remedy == f"kill {process.pid}"
        assert machine.left_over(tmp_path, 4711) == [], "they are those of who holds the lake"
        process.kill()
    assert [f.state for f in machine.left_over(tmp_path, 0)] == ["ok"]


# --- the lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path, Buckets.of("olist"))
    files = LakeFiles(tmp_path)
    for bucket in vars(made.buckets).values():
        files.make_bucket(bucket)
    return made


Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def examined(lake: Lake, ledger: Ledger) -> Examine:
    """What is not well, by subject."""

    def run(running: Running | None = None) -> dict[str, Finding]:
        findings = list(examine_ledger(lake, ledger, running, NOON))
        return {f.subject: f for f in findings if f.state != "ok"}

    return run


def land(ledger: Ledger, commit: bool = True, **changes: Any) -> Opened:
    opened = ledger.open_object(seen(a_bronze_object(**{"log": "shop-1"} | changes)), PINS, NOON)
    assert isinstance(opened, Opened)
    if commit:
        ledger.commit(opened, an_outcome(opened), NOON)
    return opened


def running_lake(lake: Lake, **changes: Any) -> Running:
    plain: dict[str, Any] = dict.fromkeys(Running.__dataclass_fields__, "")
    known = {
        "lake": lake.root,
        "log": "shop-1",
        "children": {"writer": 7, "aws": 8},
        "restarts": {"writer": 0},
    }
    return Running(**plain | known | changes)


def test_lake_that_is_well_has_nothing_but_gold_to_tell(ledger: Ledger, examined: Examine) -> None:
    land(ledger)
    assert {subject: f.remedy for subject, f in examined().items()} == {"Gold": "nexus model"}


def test_rows_that_wait_are_a_problem_only_while_nothing_runs(
    lake: Lake, ledger: Ledger, examined: Examine
) -> None:
    land(ledger, commit=False)
    require_helpful(examined()["balance"])
    assert examined(running_lake(lake))["balance"].state == "note"


def test_balance_that_is_off_is_named(ledger: Ledger, examined: Examine) -> None:
    land(ledger)
    ledger.read(lambda db: db.run("update revision set silver_hash_sum = silver_hash_sum - 1"))
    require_helpful(examined()["balance"])
    assert "orders" in examined()["balance"].text


@pytest.mark.parametrize("state", ["overlap", "gone"])
def test_stuck_objects_are_named_with_their_runbook(ledger: Ledger, examined: Examine, state: str) -> None:
    land(ledger)
    ledger.read(lambda db: db.run("update object set state = :state", state=state))
    require_helpful(examined()["objects"])
    runbook = examined()["objects"].remedy.partition(";")[0]
    assert (Path(__file__).parents[2] / runbook).exists()


def test_objects_that_fail_again_and_again_are_named(ledger: Ledger, examined: Examine) -> None:
    for _ in range(2):
        opened = land(ledger, commit=False)
    assert "objects" not in examined()
    opened = land(ledger, commit=False)
    require_helpful(examined()["objects"])
    assert str(opened.metadata.key) in examined()["objects"].text


def test_log_of_a_broker_that_is_gone_is_named(lake: Lake, ledger: Ledger, examined: Examine) -> None:
    ledger.observe_partition("emb-1", "orders.v1", 0, "orders", 0, 5, NOON)
    require_helpful(examined()["logs"])
    assert "emb-1" in examined()["logs"].text
    assert "logs" not in examined(running_lake(lake, log="emb-1"))


def test_offsets_that_never_landed_are_named_unless_their_broker_runs(
    lake: Lake, ledger: Ledger, examined: Examine
) -> None:
    ledger.observe_partition("shop-1", "orders.v1", 0, "orders", 0, 5, NOON)
    require_helpful(examined()["offsets"])
    assert "offsets" not in examined(running_lake(lake))


def test_void_ranges_are_a_note_with_their_reason(ledger: Ledger, examined: Examine) -> None:
    land(ledger, first=5, end=10, previous_end=0, void_reason="expired")
    assert (examined()["void"].state, examined()["void"].text) == (
        "note",
        "5 offsets will never land (expired)",
    )


def test_rebuild_that_was_broken_off_is_named(ledger: Ledger, examined: Examine) -> None:
    ledger.read(lambda db: db.run("insert into rebuild (started_at) values (now())"))
    require_helpful(examined()["rebuild"])


def test_load_that_is_not_covered_is_named(lake: Lake, examined: Examine) -> None:
    body = json.dumps({"records": 3}).encode()
    manifest = LoadManifestKey("products", "0123456789abcdef" * 4)
    put(lake, lake.buckets.bronze, str(manifest), body)
    require_helpful(examined()["loads"])
    assert "0 of 3" in examined()["loads"].text


def put(lake: Lake, bucket: str, key: str, body: bytes) -> None:
    LakeFiles(lake.root).write(
        bucket, key, body, etag=md5_of(body), metadata={}, last_modified=NOON.isoformat(), before=None
    )


def test_gold_that_lacks_silver_says_by_how_much(lake: Lake, ledger: Ledger, examined: Examine) -> None:
    opened = land(ledger)
    published: dict[str, Any] = {
        "build": "b1",
        "previous": None,
        "published_at": (NOON - timedelta(hours=3)).isoformat(),
        "silver": {"orders": []},
        "findings": [],
        "tables": {},
    }
    place = lake.file(lake.buckets.gold, "published.json")
    place.write_text(json.dumps(published))
    assert examined()["Gold"].text == "b1, published 3 hours ago, 1 Silver objects behind"
    published["silver"] = {"orders": [an_outcome(opened).silver_key]}
    place.write_text(json.dumps(published))
    assert "Gold" not in examined()
    place.write_text("{")
    require_helpful(examined()["Gold"])


def test_gold_that_follows_by_itself_says_why_it_does_not(
    lake: Lake, ledger: Ledger, examined: Examine
) -> None:
    land(ledger)
    follows = running_lake(lake, children={"aws": 7, "gold": 8})
    assert (examined(running_lake(lake))["Gold"].remedy, examined(follows)["Gold"].remedy) == (
        "nexus model",
        "It follows by itself",
    )
    lake.run.mkdir()
    note_trouble(lake.run, Trouble(2, NOON.isoformat(), "model fact_sales: no"))
    told = examined(follows)["Gold"]
    require_helpful(told)
    assert told.text == (
        "nothing is published yet; "
        f"to build it has failed 2 times since {NOON.isoformat()}: model fact_sales: no"
    )
    assert examined()["Gold"].state == "note"


# --- what runs


def test_process_that_is_down_is_named(lake: Lake) -> None:
    assert [f.state for f in examine_running(running_lake(lake))] == ["ok"]
    [finding] = examine_running(running_lake(lake, children={"writer": 0, "aws": 8}))
    require_helpful(finding)
    assert "writer" in finding.text


def test_restarts_are_told(lake: Lake) -> None:
    *_, finding = examine_running(running_lake(lake, restarts={"writer": 2, "aws": 0}))
    assert (finding.state, finding.text) == ("note", "writer 2 times since the start")
