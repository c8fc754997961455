"""One process per lake, and a folder that can hold one."""

import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.errors import RuntimeFault
from local.lake_folder import prepare_folder
from local.lake_lock import LakeBusy, LakeLock, read_holder

CODE = Path(__file__).resolve().parents[2]
SINCE = "2026-01-01T00:00:00+00:00"
HOLDING_PROCESS = """
import sys, time
from pathlib import Path
from local.lake_lock import LakeLock
lock = LakeLock.take(Path(sys.argv[1]), "nexus demo", "2026-01-01T00:00:00+00:00")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING_PROCESS, str(tmp_path)], cwd=CODE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_second_holder_is_told_who_holds_the_lake_and_what_to_do(tmp_path, holder):
    with pytest.raises(LakeBusy, match=rf"process {holder.pid} \(nexus demo, since {SINCE[:10]}.*nexus down"):
        LakeLock.take(tmp_path, "nexus up", SINCE)


def test_lock_of_a_killed_holder_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert read_holder(tmp_path) is None
    LakeLock.take(tmp_path, "nexus up", SINCE).release()


def test_released_lock_is_free_again(tmp_path):
    with LakeLock.take(tmp_path, "nexus up", SINCE):
        assert read_holder(tmp_path).command == "nexus up"
    assert read_holder(tmp_path) is None


def test_shorter_holder_text_replaces_a_longer_one(tmp_path):
    LakeLock.take(tmp_path, "nexus demo " * 20, SINCE).release()
    with LakeLock.take(tmp_path, "up", SINCE):
        assert read_holder(tmp_path).command == "up"


def test_lake_that_is_not_there_has_no_holder(tmp_path):
    assert read_holder(tmp_path / "none") is None


def test_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeFault, match=r"file/lake cannot be written \(Not a directory\).*--lake"):
        prepare_folder(tmp_path / "file" / "lake")


def test_full_disk_is_named_with_the_remedy(tmp_path):
    with pytest.raises(RuntimeFault, match=r"Only \d+ MB are free .* needed to start.*another disk"):
        prepare_folder(tmp_path / "lake", min_free=2**62)
