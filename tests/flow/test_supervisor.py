"""A lake is started, healed and stopped as a whole, whatever is killed. Fake children, the real supervisor."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pg8000.native
import psutil
import pytest

from grpc_ingest.marks import AckMarks
from lakehouse.errors import RuntimeFault
from local import runtime
from local.children import HOST, build_table, child_environment, mint_log_id
from local.lake_lock import LakeBusy, read_holder
from local.processes import KERNEL_TELLS_CHILDREN
from local.run_events import Event, EventFile, EventReader, events_path, stamp
from local.run_state import OpenLogs, Options, Running, Site
from local.start_steps import STEPS

CODE = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0
NAMES = {"aws", "postgres", "broker", "grpc", "writer", "check-1"}


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Iterator[Path]:
    monkeypatch.setattr(runtime, "SUPERVISOR", "tests.fakes.supervised")
    folder = tmp_path / "lake"
    (folder / "run").mkdir(parents=True)
    yield folder
    runtime.stop(folder, ignore, at_once=True)


def ignore(event: Event) -> None:
    pass


def up(lake: Path, options: Options | None = None) -> Running:
    return runtime.start(lake, options or Options(), ignore)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def journal(lake: Path) -> list[str]:
    path = lake / "run" / "journal"
    return path.read_text().splitlines() if path.exists() else []


def kill_supervisor(running: Running) -> None:
    os.kill(running.supervisor_pid, signal.SIGKILL)
    until(lambda: read_holder(running.lake) is None)


def test_everything_stops_in_the_order_that_loses_nothing(lake):
    running = up(lake)
    assert running.children.keys() == NAMES
    assert runtime.stop(lake, ignore)
    assert journal(lake) == [
        "grpc",
        "writer",
        "check-1",
        f"close {running.log} drained",
        "broker",
        "postgres",
        "aws",
    ]
    assert not any(lives(pid) for pid in [running.supervisor_pid, *running.children.values()])


def test_progress_tells_of_each_child_until_all_are_ready(lake):
    events: list[Event] = []
    runtime.start(lake, Options(), events.append)
    assert {event.name for event in events if event.kind == "ready"} == NAMES
    assert (events[-1].kind, events[-1].done, events[-1].of) == ("running", 6, 6)


def test_child_is_started_only_when_those_it_needs_are_ready(lake):
    events: list[tuple[str, str]] = []
    runtime.start(lake, Options(), lambda event: events.append((event.kind, event.name)))
    for name, needs in {"grpc": ("aws", "broker"), "writer": ("aws", "postgres", "broker")}.items():
        assert all(events.index(("ready", need)) < events.index(("starting", name)) for need in needs)


def test_running_lake_can_be_found_by_others(lake):
    running = up(lake)
    assert runtime.attach(lake) == running == runtime.require(lake)
    assert (lake / "run" / "state.json").stat().st_mode & 0o077 == 0, "it holds the ledger's password"
    runtime.stop(lake, ignore)
    assert runtime.attach(lake) is None


def test_second_start_names_the_first_and_does_it_no_harm(lake):
    running = up(lake)
    with pytest.raises(LakeBusy, match=rf"in use by process {running.supervisor_pid} \(nexus up.*nexus down"):
        up(lake)
    assert runtime.attach(lake) == running


def test_two_starts_at_once_leave_one_running(lake):
    program = "import sys; from pathlib import Path; from local import runtime; from local.run_state import Options\n"
    program += "runtime.SUPERVISOR = 'tests.fakes.supervised'\n"
    program += "runtime.start(Path(sys.argv[1]), Options(), lambda event: None)"
    argv = [sys.executable, "-c", program, str(lake)]
    rivals = [subprocess.Popen(argv, cwd=CODE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [rival.communicate()[1] for rival in rivals]
    assert sorted(rival.returncode for rival in rivals) == [0, 1]
    assert "in use by process" in "".join(errors)
    assert runtime.require(lake)


def test_lake_that_does_not_run_says_so(lake):
    assert not runtime.stop(lake, ignore)
    with pytest.raises(runtime.NotRunning, match="Start it with `nexus up`"):
        runtime.require(lake)


@pytest.mark.parametrize("told_by", ["kernel", "guarded"] if KERNEL_TELLS_CHILDREN else ["guarded"])
def test_nothing_outlives_a_killed_supervisor_and_the_next_start_closes_its_log(lake, told_by):
    (lake / "run" / told_by).touch()
    first = up(lake)
    kill_supervisor(first)
    until(lambda: not any(lives(pid) for pid in first.children.values()))
    assert runtime.attach(lake) is None
    second = up(lake)
    assert second.log != first.log
    assert journal(lake) == [f"close {first.log} its broker ended without a drain"]


@pytest.mark.parametrize("name", sorted(NAMES - {"broker"}))
def test_killed_child_is_started_again(lake, name):
    before = up(lake)
    os.kill(before.children[name], signal.SIGKILL)
    until(lambda: runtime.attach(lake).restarts[name] == 1 and runtime.attach(lake).children[name])
    after = runtime.attach(lake)
    assert lives(after.children[name])
    assert after.log == before.log
    assert {n for n in NAMES if after.children[n] != before.children[n]} == {name}


def test_dead_broker_ends_its_log_and_the_work_goes_on_with_a_new_one(lake):
    before = up(lake)
    os.kill(before.children["broker"], signal.SIGKILL)
    until(
        lambda: (
            runtime.attach(lake).log not in ("", before.log) and all(runtime.attach(lake).children.values())
        )
    )
    after = runtime.attach(lake)
    assert journal(lake) == ["grpc", "writer", f"close {before.log} its broker died"]
    assert after.broker != before.broker
    changed = {name for name in NAMES if after.children[name] != before.children[name]}
    assert changed == {"broker", "grpc", "writer"}
    assert list(OpenLogs(Site(lake, Options()))) == [after.log]


def test_child_that_cannot_start_ends_the_start_with_its_last_words(lake):
    (lake / "run" / "writer.fail").touch()
    with pytest.raises(
        RuntimeFault, match=r"(?s)writer ended with exit code 3.*writer\.log.*no such table: orders"
    ):
        up(lake)
    assert read_holder(lake) is None
    assert "broker" in journal(lake), "what had started was stopped again"


def test_child_that_dies_again_and_again_is_tried_until_it_lives(lake):
    before = up(lake)
    (lake / "run" / "writer.fail").touch()
    os.kill(before.children["writer"], signal.SIGKILL)
    until(lambda: runtime.attach(lake).restarts["writer"] >= 2)
    (lake / "run" / "writer.fail").unlink()
    until(lambda: runtime.attach(lake).children["writer"] and lives(runtime.attach(lake).children["writer"]))


def test_deaf_child_is_killed_and_the_others_still_drain(lake):
    (lake / "run" / "check-1.deaf").touch()
    running = up(lake)
    events: list[Event] = []
    runtime.stop(lake, events.append)
    assert [event.name for event in events if event.kind == "died"] == ["check-1"]
    assert [line for line in journal(lake) if line in NAMES] == [
        "grpc",
        "writer",
        "broker",
        "postgres",
        "aws",
    ]
    assert not lives(running.children["check-1"])


def test_ledger_killed_while_the_check_drains_is_started_again_for_it(lake):
    (lake / "run" / "check-1.deaf").touch()
    running = up(lake)

    def kill_ledger(event: Event) -> None:
        if (event.kind, event.name) == ("stopping", "check-1"):
            os.kill(running.children["postgres"], signal.SIGKILL)

    events: list[Event] = []
    runtime.stop(lake, lambda event: (events.append(event), kill_ledger(event)))
    assert [(e.kind, e.name) for e in events if e.name == "postgres"][:3] == [
        ("died", "postgres"),
        ("note", "postgres"),
        ("starting", "postgres"),
    ]
    assert "postgres" in journal(lake)


def test_at_once_waits_for_nobody(lake):
    (lake / "run" / "writer.deaf").touch()
    running = up(lake)
    runtime.stop(lake, ignore, at_once=True)
    assert not any(lives(pid) for pid in running.children.values())


def test_stop_may_be_asked_for_twice(lake):
    running = up(lake)
    os.kill(running.supervisor_pid, signal.SIGTERM)
    runtime.stop(lake, ignore)
    assert journal(lake)[:2] == ["grpc", "writer"]
    assert journal(lake).count("writer") == 1


@pytest.mark.parametrize("end", ["pass", "import os; os.kill(os.getpid(), 9)"])
def test_lake_of_a_caller_drains_when_the_caller_ends(lake, end):
    program = f"""
import sys
from pathlib import Path
from local import runtime
from local.run_state import Options
runtime.SUPERVISOR = "tests.fakes.supervised"
runtime.start(Path(sys.argv[1]), Options(), lambda event: None, ends_with_caller=True)
{end}
"""
    subprocess.run([sys.executable, "-c", program, str(lake)], cwd=CODE, check=False)
    until(lambda: "aws" in journal(lake))
    assert [line for line in journal(lake) if line in NAMES] == [
        "grpc",
        "writer",
        "check-1",
        "broker",
        "postgres",
        "aws",
    ]


def test_killed_lake_with_real_ledger_store_and_broker_comes_back(lake):
    (lake / "run" / "real").touch()
    first = up(lake)
    with_ledger(first, "create table mark as select 1")
    kill_supervisor(first)
    until(lambda: not any(lives(pid) for pid in first.children.values()))
    until(
        lambda: (
            not [
                p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(lake / "pg") and lives(p.pid)
            ]
        )
    )
    second = up(lake)
    assert with_ledger(second, "select count(*) from mark") == [[1]]
    os.kill(second.children["postgres"], signal.SIGKILL)
    os.kill(second.children["aws"], signal.SIGKILL)
    until(
        lambda: (
            sum(runtime.attach(lake).restarts.values()) == 2 and all(runtime.attach(lake).children.values())
        )
    )
    third = runtime.attach(lake)
    assert (third.ledger_url, third.aws_url) == (second.ledger_url, second.aws_url), "clients find them again"
    assert with_ledger(third, "select count(*) from mark") == [[1]]
    assert runtime.stop(lake, ignore)


def test_ledger_names_what_a_dead_broker_had_acknowledged(lake):
    (lake / "run" / "real").touch()
    before = up(lake)
    with AckMarks(lake / "run" / "marks", before.log) as marks:
        marks.note("orders.v1", 2, 7)
    events = EventReader(events_path(lake, before.supervisor_pid), from_end=True)
    os.kill(before.children["broker"], signal.SIGKILL)
    until(lambda: runtime.attach(lake).log not in ("", before.log))
    assert [e.text for e in events.fresh() if e.kind == "lost"] == [
        f"7 acknowledged events of log {before.log} were not landed when its broker died: they are lost. "
        "`nexus ledger` names them; sending the same events again mends it."
    ]
    voids = with_ledger(
        before, "select log, topic, partition, lower(offsets), upper(offsets), reason from void_range"
    )
    assert voids == [[before.log, "orders.v1", 2, 0, 7, "broker lost"]]


def with_ledger(running: Running, sql: str) -> list[list[object]]:
    found = re.fullmatch(r"postgresql://(.+):(.+)@(.+):(\d+)/(.+)", running.ledger_url)
    assert found
    user, password, host, port, database = found.groups()
    connection = pg8000.native.Connection(user, host, database, int(port), password)
    try:
        return connection.run(sql) or []
    finally:
        connection.close()


def test_folder_that_cannot_be_written_is_named_before_anything_starts(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeFault, match=r"cannot be written .*--lake"):
        up(tmp_path / "file" / "lake")


def test_grpc_port_of_another_program_is_named_with_the_remedy(lake):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site = Site(lake, Options(grpc_port=port))
        host = next(plan for plan in build_table(site, STEPS, []) if plan.name == HOST)
        with pytest.raises(RuntimeFault, match=rf"Port {port} cannot be used for gRPC .*choose another port"):
            host.launch(site)


def test_real_kafka_needs_a_log_id():
    with pytest.raises(RuntimeFault, match=r"needs a log id.*--log"):
        Options(broker="kafka:9092")


def test_children_cannot_reach_a_real_account(lake):
    environment = child_environment(Site(lake, Options(environment={"HOME": "/home/me"})), HOST)
    assert environment["HOME"] == "/home/me"
    assert environment["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert "AWS_PROFILE" not in environment


def test_events_of_a_former_process_with_the_same_pid_are_passed_over(tmp_path):
    path = tmp_path / "events-1.jsonl"
    for year in (2025, 2026):
        with closing(EventFile(path, lambda year=year: datetime(year, 1, 1, tzinfo=UTC))) as events:
            events.tell("running", f"of {year}")
    reader = EventReader(path, since=stamp(datetime(2025, 6, 1, tzinfo=UTC)))
    assert [event.text for event in reader.fresh()] == ["of 2026"]
    with path.open("a") as file:
        file.write('{"kind": "ended"')
    assert list(reader.fresh()) == [], "half a line waits for its other half"


def test_log_ids_of_two_starts_in_one_second_differ():
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert mint_log_id(now, "00af") == "emb-20260304t050607-00af" != mint_log_id(now, "00b0")
