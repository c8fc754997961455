"""Children are waited for, stopped by their own pid, and never outlive their parent."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lakehouse.errors import RuntimeFault
from local import processes
from local.process_guard import read_watched
from local.processes import (
    Child,
    ChildFailed,
    Command,
    kill,
    read_when_written,
    spawn,
    stop,
    tail,
    wait_ready,
)

CODE = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    started: list[Child] = []

    def start_python(program: str, **env: str) -> Child:
        child = spawn(Command("worker", (sys.executable, "-c", program), env, tmp_path), tmp_path / "logs")
        started.append(child)
        return child

    yield start_python
    for child in started:
        kill(child)


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


def test_child_output_goes_to_its_log(start, tmp_path):
    child = start("import sys; print('err', file=sys.stderr); print('out')")
    child.process.wait(DEADLINE_S)
    assert (tmp_path / "logs" / "worker.log").read_text().split() == ["err", "out"]


def test_child_environment_is_only_what_was_given(start, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    child = start("import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))", GIVEN="1")
    child.process.wait(DEADLINE_S)
    assert child.last_lines() == "['GIVEN']"


def test_wait_ready_gives_what_the_ready_file_says(start, tmp_path):
    ready = tmp_path / "ready"
    child = start(f"import time; open({str(ready)!r}, 'w').write('4711\\n'); time.sleep(60)")
    assert wait_ready(child, lambda: read_when_written(ready), DEADLINE_S) == "4711"


def test_wait_ready_names_exit_and_last_words_of_a_child_that_ends(start):
    child = start("print('port 9092 is taken'); raise SystemExit(3)")
    with pytest.raises(
        ChildFailed, match=r"(?s)exit code 3 before it was ready.*worker\.log.*port 9092 is taken"
    ):
        wait_ready(child, lambda: None, DEADLINE_S)


def test_wait_ready_names_the_signal_that_ended_a_child(start):
    child = start("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(ChildFailed, match="was ended by SIGKILL before it was ready"):
        wait_ready(child, lambda: None, DEADLINE_S)


def test_wait_ready_gives_up_after_its_time(start):
    child = start("import time; time.sleep(60)")
    with pytest.raises(ChildFailed, match=r"was not ready within 0\.1 s"):
        wait_ready(child, lambda: None, 0.1)


def test_empty_ready_file_is_not_ready(tmp_path):
    (tmp_path / "ready").touch()
    assert read_when_written(tmp_path / "ready") is None


def test_stop_lets_a_child_end_by_itself(start, tmp_path):
    ready = tmp_path / "ready"
    child = start(
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {15});"
        f"open({str(ready)!r}, 'w').write('up'); signal.sigwait({{15}}); print('drained')"
    )
    wait_ready(child, lambda: read_when_written(ready), DEADLINE_S)
    assert stop(child, signal.SIGTERM, DEADLINE_S)
    assert child.last_lines() == "drained"
    assert stop(child, signal.SIGTERM, 0), "a second stop finds nothing to do"


def test_stop_kills_a_deaf_child_and_what_it_forked(start, tmp_path):
    pid_file = tmp_path / "pid"
    child = start(
        "import os, signal, time; signal.signal(15, signal.SIG_IGN); pid = os.fork();"
        f"pid and open({str(pid_file)!r}, 'w').write(str(pid)); time.sleep(60)"
    )
    grandchild = int(wait_ready(child, lambda: read_when_written(pid_file), DEADLINE_S))
    assert not stop(child, signal.SIGTERM, 0.1)
    assert child.exit_code() == -signal.SIGKILL
    until(lambda: not lives(grandchild))


def test_spawn_names_the_program_that_is_missing(tmp_path):
    with pytest.raises(RuntimeFault, match=r"worker could not be started.*/no/such/program"):
        spawn(Command("worker", ("/no/such/program",), {}, tmp_path), tmp_path)


def test_spawn_refuses_threads_whose_end_would_end_the_child(tmp_path):
    problems: list[BaseException] = []

    def attempt() -> None:
        try:
            spawn(Command("worker", (sys.executable, "-c", ""), {}, tmp_path), tmp_path)
        except RuntimeError as error:
            problems.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert "main thread" in str(problems[0])


SPAWNING_PARENT = """
import sys, time
from pathlib import Path
from local import processes
from local.process_guard import Guard
folder, by_kernel = Path(sys.argv[1]), sys.argv[2] == "kernel"
processes.KERNEL_TELLS_CHILDREN = by_kernel
sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
child = processes.spawn(processes.Command("child", sleeper, {}, folder), folder)
if not by_kernel:
    guard = Guard(Path.cwd())
    guard.watch_only({child.pid: child.on_parent_death})
(folder / "pid.part").write_text(str(child.pid))
(folder / "pid.part").rename(folder / "pid")
time.sleep(600)
"""


@pytest.mark.parametrize("told_by", ["kernel", "guard"] if processes.KERNEL_TELLS_CHILDREN else ["guard"])
def test_child_ends_when_its_parent_is_killed(told_by, tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", SPAWNING_PARENT, str(tmp_path), told_by], cwd=CODE)
    until((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    assert lives(pid)
    parent.kill()
    parent.wait()
    until(lambda: not lives(pid))


def test_guard_ends_nobody_it_was_told_to_forget():
    assert read_watched(["watch 11 9", "watch 12 2", "forget 11", "what is this"]) == {12: 2}
    assert read_watched(["watch 11 9", "done"]) == {}


def test_tail_shows_the_last_lines_of_any_bytes(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"old\n" * 50_000 + b"caf\xe9\nlast\n")
    assert tail(log, 2) == "caf\ufffd\nlast"
    assert tail(tmp_path / "none") == ""


def test_large_log_is_begun_anew_keeping_one(start, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "LOG_BYTES_KEPT", 3)
    start("print('first')").process.wait(DEADLINE_S)
    start("print('second')").process.wait(DEADLINE_S)
    assert tail(tmp_path / "logs" / "worker.log") == "second"
    assert tail(tmp_path / "logs" / "worker.log.1") == "first"


def test_free_port_can_be_listened_on():
    assert 0 < processes.free_port() < 65536
