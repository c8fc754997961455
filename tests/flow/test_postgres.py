"""The embedded PostgreSQL survives what can happen to it, in any folder."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pg8000.native
import pytest

from lakehouse.errors import RuntimeFault
from local import postgres
from local.postgres import Postgres, start_postgres, stop_postgres
from local.processes import free_port, kill

DEADLINE_S = 20.0


@pytest.fixture
def start() -> Iterator[Callable[..., Postgres]]:
    started: list[Postgres] = []

    def start_in(lake: Path, port: int = 0) -> Postgres:
        started.append(start_postgres(lake / "pg", lake / "logs", port))
        return started[-1]

    yield start_in
    for server in started:
        kill(server.child)


def run(server: Postgres, sql: str) -> list[list[object]]:
    connection = pg8000.native.Connection(**server.connect_args)
    try:
        return connection.run(sql) or []
    finally:
        connection.close()


def test_every_acknowledged_row_survives_five_kills_in_a_row(start, tmp_path):
    server = start(tmp_path)
    run(server, "create table mark (number int)")
    for number in range(5):
        run(server, f"insert into mark values ({number})")
        os.kill(server.child.pid, signal.SIGKILL)
        server = start(tmp_path, server.port)
    assert run(server, "select number from mark order by number") == [[n] for n in range(5)]


def test_killed_server_with_a_busy_connection_starts_again(start, tmp_path):
    server = start(tmp_path)
    busy = pg8000.native.Connection(**server.connect_args)
    busy.run("begin")
    os.kill(server.child.pid, signal.SIGKILL)
    again = start(tmp_path)
    assert run(again, "select 1") == [[1]]
    with pytest.raises(pg8000.exceptions.Error):
        busy.run("select 1")
    busy._usock.close()


def test_stop_and_start_keep_data_and_password(start, tmp_path):
    first = start(tmp_path)
    run(first, "create table mark (number int)")
    assert stop_postgres(first.child)
    second = start(tmp_path)
    assert second.password == first.password
    assert run(second, "select count(*) from mark") == [[0]]


def test_long_path_with_spaces_and_quotes_is_a_path_like_any_other(start, tmp_path):
    lake = tmp_path / "my 'lake' of \"Olist\"" / ("long " * 30) / ("longer " * 30)
    lake.mkdir(parents=True)
    assert len(str(lake)) > 107 + 200
    assert run(start(lake), "select 1") == [[1]]


def test_folders_above_stay_closed(start, tmp_path):
    lake = tmp_path / "closed" / "lake"
    lake.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert run(start(lake), "select 1") == [[1]]
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700


def test_server_of_an_earlier_run_is_ended_first(start, tmp_path):
    left_over = start(tmp_path)
    server = start(tmp_path)
    assert left_over.child.exit_code() == 0
    assert run(server, "select 1") == [[1]]


def test_stale_pid_file_with_the_number_of_another_process_harms_nobody(start, tmp_path):
    stop_postgres(start(tmp_path).child)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as bystander:
        stale = f"{bystander.pid}\n{tmp_path}/pg\n1\n5432\n\n\n\nready\n"
        (tmp_path / "pg" / "postmaster.pid").write_text(stale)
        assert run(start(tmp_path), "select 1") == [[1]]
        assert bystander.poll() is None
        bystander.kill()


def test_folder_whose_making_was_cut_off_is_made_again(start, tmp_path):
    half_made = tmp_path / "pg.new" / "data"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    assert run(start(tmp_path), "select 1") == [[1]]
    assert not half_made.exists()


def test_port_of_another_program_is_named_with_the_remedy(start, tmp_path):
    first = start(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(
        RuntimeFault, match=rf"cannot listen on port {first.port}: another program does.*nexus down"
    ):
        start(tmp_path / "other", first.port)


def test_other_programs_need_the_password(start, tmp_path):
    server = start(tmp_path)
    with pytest.raises(pg8000.exceptions.DatabaseError, match="password authentication failed"):
        pg8000.native.Connection(**{**server.connect_args, "password": "guess"})


def test_url_has_all_that_a_driver_needs(start, tmp_path):
    server = start(tmp_path, port := free_port())
    assert server.url == f"postgresql://postgres:{server.password}@127.0.0.1:{port}/postgres"
    assert (tmp_path / "pg" / "role_password").stat().st_mode & 0o077 == 0


def test_commits_reach_the_disk_before_they_are_acknowledged(start, tmp_path):
    names = "'fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums'"
    settings = run(start(tmp_path), f"select setting from pg_settings where name in ({names})")
    assert settings == [["on"]] * 4


def test_root_is_told_which_account_the_server_has(start, tmp_path):
    server = start(tmp_path)
    assert [note for note in server.notes if "does not run as root" in note] == list(
        server.notes[:1] if os.geteuid() == 0 else ()
    )


def test_folder_of_another_version_is_left_alone(start, tmp_path):
    stop_postgres(start(tmp_path).child)
    (tmp_path / "pg" / "PG_VERSION").write_text("16\n")
    with pytest.raises(RuntimeFault, match="was made by PostgreSQL 16, this is 18"):
        start(tmp_path)


def test_missing_programs_are_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RuntimeFault, match=r"PostgreSQL 18 is not installed.*--ledger URL"):
        postgres.find_programs()
