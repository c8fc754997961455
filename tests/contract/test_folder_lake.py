"""The lake's folder read as an object store tells the same as its server, and names the files that are no objects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.objects import ObjectGone, ObjectStore
from lakehouse.errors import LakeError
from local.aws_setup import local_client
from local.folder_lake import FolderLake
from tests.flow.aws_process import AwsProcess

BUCKET = "folder-lake"
KEYS = ["orders/a+1", "orders/year=2026/b", "orders/year=2026/a", "sellers/é 1", "top"]


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FolderLake, ObjectStore, Path]]:
    root = tmp_path_factory.mktemp("folder") / "lake"
    with AwsProcess(root) as server:
        local_client("s3", server.endpoint).create_bucket(Bucket=BUCKET)
        store = ObjectStore.connect(server.endpoint, "us-east-1")
        for number, key in enumerate(KEYS):
            store.put_new(BUCKET, key, key.encode() * number, {"rows": str(number), "void-reason": ""})
        store.put(BUCKET, "top", b"the second version", {"rows": "9"})
        yield FolderLake(root), store, root


@pytest.mark.parametrize("prefix", ["", "orders/", "orders/year=", "orders/year=2026/a", "t", "nothing/"])
def test_folder_lists_what_the_server_lists(lakes: tuple[FolderLake, ObjectStore, Path], prefix: str) -> None:
    folder, store, _ = lakes
    ours, theirs = list(folder.keys(BUCKET, prefix)), list(store.keys(BUCKET, prefix))
    assert [(s.key, s.etag, s.size) for s in ours] == [(s.key, s.etag, s.size) for s in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.modified is not None
        assert other.modified is not None
        assert abs((mine.modified - other.modified).total_seconds()) < 1  # S3 tells whole seconds
    assert [s.key for s in folder.keys(BUCKET, prefix, "orders/b")] == [
        s.key for s in store.keys(BUCKET, prefix, "orders/b")
    ]


@pytest.mark.parametrize("key", [*KEYS, "nothing"])
def test_folder_shows_an_object_as_the_server_does(
    lakes: tuple[FolderLake, ObjectStore, Path], key: str
) -> None:
    folder, store, _ = lakes
    head = store.head(BUCKET, key)
    assert folder.head(BUCKET, key) == head
    for reader in (folder, store):
        if head is None:
            with pytest.raises(ObjectGone):
                reader.get(BUCKET, key)
            with pytest.raises(ObjectGone):
                reader.tail(BUCKET, key, 3)
        else:
            assert reader.get(BUCKET, key, head.etag) == store.get(BUCKET, key)
            assert reader.tail(BUCKET, key, 3) == store.get(BUCKET, key)[-3:]
            with pytest.raises(ObjectGone):
                reader.get(BUCKET, key, "0" * 32)


def test_folder_names_files_that_are_no_objects(lakes: tuple[FolderLake, ObjectStore, Path]) -> None:
    folder, store, root = lakes
    assert folder.misfits([BUCKET]) == []
    for key in ("bad/changed", "bad/unreadable", "bad/foreign", "bad/cut"):
        store.put(BUCKET, key, b"0123456789")
    (root / "lake" / BUCKET / "bad" / "changed").write_bytes(b"012345")
    (root / "lake" / BUCKET / "bad" / "stray").write_bytes(b"x")
    (root / "lake" / BUCKET / "bad" / "cut").unlink()
    meta = root / "meta" / BUCKET / "bad"
    (meta / "foreign.json").write_text((root / "meta" / BUCKET / "top.json").read_text())
    (meta / "unreadable.json").write_text("{")
    found = {misfit.what: misfit.text for misfit in folder.misfits([BUCKET])}
    assert found.keys() == {"changed", "unreadable", "foreign", "no sidecar"}
    assert "bad/stray" in found["no sidecar"]
    assert list(folder.keys(BUCKET, "bad/")) == []


def test_folder_that_is_no_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no lake"):
        FolderLake(tmp_path)
