"""Acknowledgement marks: what was noted is read, from any process, however that ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_ingest.marks import AckMarks, read_marks
from lakehouse.errors import LakeError, RuntimeFault

ROOT = Path(__file__).parents[2]


def test_marks_of_nobody_are_empty(tmp_path: Path) -> None:
    assert read_marks(tmp_path / "none", "emb-1") == {}
    AckMarks(tmp_path, "emb-1").close()
    assert read_marks(tmp_path, "emb-1") == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["orders.v1", "t" * 249, "é.v1"]), st.integers(0, 40), st.integers(0, 2**63 - 1)
        )
    )
)
def test_marks_hold_the_furthest_end_of_each_partition(
    tmp_path_factory: pytest.TempPathFactory, notes: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("marks")
    expected: dict[tuple[str, int], int] = {}
    with AckMarks(folder, "emb-1") as one, AckMarks(folder, "emb-1") as two:
        for number, (topic, partition, end) in enumerate(notes):
            (one if number % 2 else two).note(topic, partition, end)
            expected[topic, partition] = max(end, expected.get((topic, partition), 0))
            assert read_marks(folder, "emb-1") == {p: e for p, e in expected.items() if e}


def test_marks_of_one_log_are_not_those_of_another(tmp_path: Path) -> None:
    with AckMarks(tmp_path, "emb-1") as marks:
        marks.note("orders.v1", 0, 5)
    assert read_marks(tmp_path, "emb-2") == {}
    assert (tmp_path / "emb-1" / f"{os.getpid()}.marks").exists()


CHILD = """
import os, signal, sys
from pathlib import Path
from grpc_ingest.marks import AckMarks
marks = AckMarks(Path(sys.argv[1]), "emb-1")
for end in range(1, 1001):
    marks.note("orders.v1", end % 4, end)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_marks_outlive_kill_9(tmp_path: Path) -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], cwd=ROOT, check=False)
    assert read_marks(tmp_path, "emb-1") == {("orders.v1", n): 1000 - (4 - n) % 4 for n in range(4)}


def test_marks_of_a_process_that_ended_while_it_made_them_are_none(tmp_path: Path) -> None:
    with AckMarks(tmp_path, "emb-1") as marks:
        marks.note("orders.v1", 1, 7)
    (tmp_path / "emb-1" / "77.marks").write_bytes(b"")
    (tmp_path / "emb-1" / "78.marks").write_bytes(bytes(200_000))
    assert read_marks(tmp_path, "emb-1") == {("orders.v1", 1): 7}


def test_marks_say_what_to_do_when_they_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeFault, match="NEXUS_ACK_MARKS"):
        AckMarks(tmp_path / "file", "emb-1")
    with AckMarks(tmp_path, "emb-1") as marks:
        for partition in range(512):
            marks.note("orders.v1", partition, 1)
        with pytest.raises(RuntimeFault, match="512 partitions"):
            marks.note("orders.v1", 512, 1)
    with pytest.raises(LakeError):
        read_marks(tmp_path, "../up")
