"""The lake folder alone: what a crash at any point leaves, what keys are refused, what a copy of it is worth."""

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakehouse.errors import LakeError, RuntimeFault
from local.lake_pairs import StoredObject, md5_of
from local.lake_store import LakeFiles

BUCKET = "shop-bronze"
NOON = "2018-03-04T12:00:00"
KEY = "orders/year=2018/month=03/day=04/log+0+00000000000000000000.parquet"


class KilledError(BaseException):
    """The process ends here: no handler runs."""


class CutOff:
    """Stands for a function and raises instead of the call with the given number, counted from 0."""

    def __init__(self, function: Callable[..., None], at: int, error: BaseException) -> None:
        self.function, self.at, self.error, self.calls = function, at, error, 0

    def __call__(self, *args: object, **kwargs: object) -> None:
        self.calls += 1
        if self.calls == self.at + 1:
            raise self.error
        self.function(*args, **kwargs)


class KillsAtRename:
    """`Path.replace` that ends the process before or behind the rename with the given number, from 0."""

    def __init__(self, at: int, behind: bool) -> None:
        self.at, self.behind, self.calls = at, behind, 0
        self.rename, self.renamed = Path.replace, set[Path]()

    def __call__(self, source: Path, target: Path) -> None:
        self.calls += 1
        hit = self.calls == self.at + 1
        if hit and not self.behind:
            raise KilledError
        self.rename(source, target)
        self.renamed.add(target)
        if hit:
            raise KilledError


@pytest.fixture
def files(tmp_path: Path) -> LakeFiles:
    return a_lake(tmp_path)


def a_lake(root: Path) -> LakeFiles:
    files = LakeFiles(root)
    files.make_bucket(BUCKET)
    return files


def put(files: LakeFiles, key: str, value: bytes, before: StoredObject | None = None) -> StoredObject:
    return files.write(
        BUCKET,
        key,
        value,
        etag=md5_of(value),
        metadata={"x-amz-meta-rows": str(len(value))},
        last_modified=NOON,
        before=before,
    )


def contents(root: Path) -> dict[str, tuple[bytes, str]]:
    """What a server that starts now would serve: key → bytes and ETag."""
    files = LakeFiles(root)
    return {stored.key: (files.read(stored), stored.etag) for stored in files.load(BUCKET)}


def whole(value: bytes) -> tuple[bytes, str]:
    return value, md5_of(value)


def test_object_comes_back_as_it_was_stored(files: LakeFiles) -> None:
    stored = put(files, KEY, b"PAR1")
    assert list(LakeFiles(files.root).load(BUCKET)) == [stored]
    assert (files.root / "lake" / BUCKET / KEY).read_bytes() == b"PAR1"


def test_empty_bucket_is_remembered(files: LakeFiles) -> None:
    assert LakeFiles(files.root).buckets() == [BUCKET]


@given(st.text(max_size=60))
@example("a/../b")
@example("..")
@example("a//b")
@example("/a")
@example("a/")
@example("a\0b")
@example("\ud800")
@example("x" * 251)
@example("ü" * 126)
@example("/".join(["y" * 100] * 11))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_any_key_is_refused_or_comes_back(tmp_path: Path, key: str) -> None:
    shutil.rmtree(tmp_path)
    try:
        put(a_lake(tmp_path), key, b"v")
    except LakeError:
        assert not [p for p in tmp_path.rglob("*") if p.is_file()]
        assert set(key) & set("\0\ud800") or {"", ".", ".."} & set(key.split("/")) or len(key.encode()) > 250
    else:
        assert contents(tmp_path) == {key: whole(b"v")}
        inside = (tmp_path / "lake" / BUCKET).resolve()
        assert (inside / key).resolve().is_relative_to(inside)


@pytest.mark.parametrize("bucket", ["..", "a", "UPPER", "a/b", "a..b", ".tmp", "x" * 64, ""])
def test_bucket_name_that_is_no_folder_is_refused(files: LakeFiles, bucket: str) -> None:
    with pytest.raises(LakeError, match="bucket name"):
        files.make_bucket(bucket)


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("had", [None, b"old", b"newer"], ids=["new", "overwrite", "overwrite-same-size"])
def test_write_killed_at_any_rename_is_whole_or_nothing(
    files: LakeFiles, monkeypatch: pytest.MonkeyPatch, at: int, behind: bool, had: bytes | None
) -> None:
    before = put(files, KEY, had) if had is not None else None
    killer = KillsAtRename(at, behind)
    monkeypatch.setattr(Path, "replace", lambda source, target: killer(source, target))  # noqa: PLW0108 - a method
    try:
        put(files, KEY, b"value", before)
        answered = True
    except KilledError:
        answered = False
    monkeypatch.undo()
    counted = files.path(BUCKET, KEY) in killer.renamed
    left = {KEY: whole(b"value")} if counted else {KEY: whole(had)} if had is not None else {}
    assert contents(files.root) == left
    assert contents(files.root) == left, "settled once is settled for good"
    assert counted or not answered


@pytest.mark.parametrize("at", [0, 1])
def test_delete_killed_at_any_point_is_whole_or_nothing(
    files: LakeFiles, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    stored = put(files, KEY, b"value")
    cut = CutOff(Path.unlink, at, KilledError())
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: cut(path, missing_ok))
    with pytest.raises(KilledError):
        files.delete(stored)
    monkeypatch.undo()
    assert contents(files.root) == ({KEY: whole(b"value")} if at == 0 else {})
    assert bool(list((files.root / "meta" / BUCKET).rglob("*.json"))) == (at == 0)


def test_delete_leaves_no_empty_folders_and_frees_the_name(files: LakeFiles) -> None:
    files.delete(put(files, "a/b/c", b"1"))
    assert [p.name for p in (files.root / "lake" / BUCKET).iterdir()] == []
    put(files, "a", b"2")
    assert contents(files.root) == {"a": whole(b"2")}


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("had", [None, b"old"], ids=["new", "overwrite"])
def test_full_disk_changes_nothing(
    files: LakeFiles, monkeypatch: pytest.MonkeyPatch, step: int, had: bytes | None
) -> None:
    before = put(files, KEY, had) if had is not None else None
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    name = "write_bytes" if step < 2 else "replace"
    cut = CutOff(getattr(Path, name), step % 2, full)
    monkeypatch.setattr(Path, name, lambda path, argument: cut(path, argument))  # noqa: PLW0108 - a method
    with pytest.raises(OSError, match="No space left"):
        put(files, KEY, b"value", before)
    monkeypatch.undo()
    assert before is None or files.read(before) == had
    assert contents(files.root) == ({KEY: whole(had)} if had is not None else {})
    put(files, KEY, b"value", before)
    assert contents(files.root) == {KEY: whole(b"value")}


def test_key_beside_a_key_that_is_its_folder_is_refused(files: LakeFiles) -> None:
    put(files, "a", b"1")
    put(files, "d/e", b"2")
    for key in ("a/b", "d"):
        with pytest.raises(LakeError, match="stands in the way"):
            put(files, key, b"3")
    assert contents(files.root) == {"a": whole(b"1"), "d/e": whole(b"2")}


def test_bytes_without_sidecar_are_reported_and_never_overwritten(
    files: LakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    stray = files.root / "lake" / BUCKET / "stray.parquet"
    stray.write_bytes(b"by hand")
    assert contents(files.root) == {}
    assert [(r.levelno, str(stray) in r.getMessage()) for r in caplog.records] == [(logging.ERROR, True)]
    with pytest.raises(LakeError, match="stands in the way"):
        put(files, "stray.parquet", b"1")
    assert stray.read_bytes() == b"by hand"


def test_bytes_that_vanished_are_reported_once(files: LakeFiles, caplog: pytest.LogCaptureFixture) -> None:
    put(files, KEY, b"value")
    (files.root / "lake" / BUCKET / KEY).unlink()
    assert contents(files.root) == {}
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert contents(files.root) == {}
    assert len(caplog.records) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"object": {}, "before": null}'])
def test_sidecar_that_cannot_be_read_is_reported(
    files: LakeFiles, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    put(files, KEY, b"value")
    (files.root / "meta" / BUCKET / f"{KEY}.json").write_text(text)
    assert contents(files.root) == {}
    assert {r.levelno for r in caplog.records} == {logging.ERROR}


def test_bytes_changed_by_hand_are_reported(files: LakeFiles, caplog: pytest.LogCaptureFixture) -> None:
    stored = put(files, KEY, b"value")
    (files.root / "lake" / BUCKET / KEY).write_bytes(b"VALUE")
    assert contents(files.root) == {}
    assert "not what was stored" in caplog.text
    (files.root / "lake" / BUCKET / KEY).write_bytes(b"longer than before")
    with pytest.raises(OSError, match="not the 5 that were stored"):
        files.read(stored)


def test_copied_lake_is_the_same_lake(files: LakeFiles, tmp_path: Path) -> None:
    before = put(files, KEY, b"old")
    put(files, KEY, b"new", before)  # the same size: only the hash tells which one the copy holds
    put(files, "b", b"1")
    copy = tmp_path / "copy"
    shutil.copytree(files.root, copy, copy_function=shutil.copyfile)
    assert contents(copy) == {KEY: whole(b"new"), "b": whole(b"1")}


def test_second_process_is_refused_and_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    first, second = LakeFiles(tmp_path), LakeFiles(tmp_path)
    first.lock()
    with pytest.raises(RuntimeFault, match="nexus down"):
        second.lock()
    os.close(first._lock_fd)
    second.lock()
    os.close(second._lock_fd)


def test_half_written_files_are_cleared(files: LakeFiles) -> None:
    (files.root / "meta" / ".tmp" / "7").write_bytes(b"half")
    files.clear_temp()
    assert list((files.root / "meta" / ".tmp").iterdir()) == []
