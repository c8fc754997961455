"""Libraries for another machine: fetched once, fetched again when what was kept is not whole."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.errors import InputError
from local import wheels
from local.wheels import Machine, fetch_libraries

HOST = Machine(python="3.12", full_python="3.12.3", platform="aarch64-manylinux_2_39")
LAMBDA = Machine(python="3.13", full_python="3.13.0", platform="aarch64-manylinux_2_28")
FILES = {"lib/x.py", "lib/y.py", "lib-1.dist-info/METADATA"}


class Index:
    """Stands for the package index, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, lock: str, machine: Machine, part: Path) -> None:
        self.asked.append((lock, machine.python))
        for name in (*FILES, "lib/tests/test_x.py", "lib-1.dist-info/RECORD"):
            file = part / "site" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    index = Index()
    monkeypatch.setattr(wheels, "_install", index)
    return index


def test_libraries_are_fetched_once_per_lock_and_machine(tmp_path: Path, index: Index) -> None:
    for _ in range(2):
        assert set(fetch_libraries("a==1\n", HOST, tmp_path)) == FILES
    fetch_libraries("a==2\n", HOST, tmp_path)
    fetch_libraries("a==1\n", LAMBDA, tmp_path)
    assert index.asked == [("a==1\n", "3.12"), ("a==2\n", "3.12"), ("a==1\n", "3.13")]


def kept(folder: Path) -> Path:
    [found] = [path for path in folder.iterdir() if path.is_dir()]
    return found


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (kept(folder) / "lib" / "x.py").unlink(),
        lambda folder: (kept(folder) / "lib" / "x.py").write_text("other"),
        lambda folder: (kept(folder) / "lib" / "z.py").write_text("more"),
        lambda folder: kept(folder).with_suffix(".json").unlink(),
        lambda folder: kept(folder).with_suffix(".json").write_text("{"),
        lambda folder: [file.unlink() for file in kept(folder).rglob("*") if file.is_file()],
    ],
    ids=["file-gone", "file-changed", "file-too-many", "no-manifest", "half-a-manifest", "git-clean"],
)
def test_kept_libraries_that_are_not_whole_are_fetched_again(
    tmp_path: Path, index: Index, spoil: Callable[[Path], object]
) -> None:
    whole = fetch_libraries("a==1\n", HOST, tmp_path)
    spoil(tmp_path)
    assert fetch_libraries("a==1\n", HOST, tmp_path) == whole
    assert len(index.asked) == 2
    assert json.loads(kept(tmp_path).with_suffix(".json").read_text())["files"] == len(FILES) + 2


def test_libraries_that_could_not_be_fetched_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_lock: str, _machine: Machine, part: Path) -> None:
        (part / "site").mkdir()
        (part / "site" / "half.py").write_text("")
        raise InputError("the index is away")

    monkeypatch.setattr(wheels, "_install", install)
    with pytest.raises(InputError):
        fetch_libraries("a==1\n", HOST, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_library_for_another_processor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elf = bytearray(64)
    elf[:4], elf[18] = b"\x7fELF", 0x3E  # x86-64

    def install(_lock: str, _machine: Machine, part: Path) -> None:
        (part / "site").mkdir()
        (part / "site" / "fast.so").write_bytes(bytes(elf))

    monkeypatch.setattr(wheels, "_install", install)
    with pytest.raises(InputError, match=r"fast\.so is not for Graviton"):
        fetch_libraries("a==1\n", HOST, tmp_path)
