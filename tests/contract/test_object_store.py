"""What every object store does: the real adapter on a local S3, and the fake that tests use instead of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from adapters.objects import ObjectGone, ObjectStore, Stored
from adapters.uploads import Upload
from local.aws_setup import local_client
from tests.fakes.object_store import FakeObjectStore

KEY = "orders/year=2026/month=01/day=02/log-1+0+00000000000000000000.parquet"
OWNER = "x-amz-expected-bucket-owner"
NUMBERS = count()
Store = FakeObjectStore | ObjectStore


@pytest.fixture(params=["fake", "real"])
def lake(request: pytest.FixtureRequest) -> tuple[Store, str]:
    """A store and an empty bucket in it."""
    bucket = f"contract-{next(NUMBERS)}"
    if request.param == "fake":
        return FakeObjectStore(), bucket
    endpoint = request.getfixturevalue("aws_endpoint")
    local_client("s3", endpoint).create_bucket(Bucket=bucket)
    return ObjectStore.connect(endpoint, "us-east-1"), bucket


def test_store_writes_new_objects_only_where_nothing_stands(lake: tuple[Store, str]) -> None:
    store, bucket = lake
    metadata = {"rows": "3", "void-reason": "", "first-offset": "0"}
    written = store.put_new(bucket, KEY, b"first", metadata)
    assert written == Stored(KEY, "8b04d5e3775d298e78455efc5ca404d5", 5, metadata)
    assert store.put_new(bucket, KEY, b"other", {"rows": "4"}) is None
    assert store.head(bucket, KEY) == written
    assert store.get(bucket, KEY) == b"first"


def test_store_replaces_only_when_told(lake: tuple[Store, str]) -> None:
    store, bucket = lake
    first = store.put(bucket, KEY, b"first")
    second = store.put(bucket, KEY, b"second")
    assert store.get(bucket, KEY, second.etag) == b"second"
    with pytest.raises(ObjectGone):
        store.get(bucket, KEY, first.etag)


def test_store_knows_what_is_not_there(lake: tuple[Store, str]) -> None:
    store, bucket = lake
    assert store.head(bucket, KEY) is None
    with pytest.raises(ObjectGone):
        store.get(bucket, KEY)
    store.put(bucket, KEY, b"x")
    store.delete(bucket, KEY)
    store.delete(bucket, KEY)
    assert store.head(bucket, KEY) is None


def test_store_lists_in_key_order_behind_a_key(lake: tuple[Store, str]) -> None:
    store, bucket = lake
    for name in ("b/2", "a/1", "b/10", "b/1", "c"):
        store.put(bucket, name, b"x", {"rows": "1"})
    assert keys(store.keys(bucket, "b/")) == ["b/1", "b/10", "b/2"]
    assert keys(store.keys(bucket, "b/", "b/1")) == ["b/10", "b/2"]
    assert keys(store.keys(bucket, "b/", "a/9")) == ["b/1", "b/10", "b/2"]
    assert all(not stored.metadata for stored in store.keys(bucket, ""))


def test_store_reads_the_end_of_an_object(lake: tuple[Store, str]) -> None:
    store, bucket = lake
    store.put(bucket, KEY, b"0123456789")
    store.put(bucket, "empty", b"")
    assert [store.tail(bucket, KEY, size) for size in (4, 10, 11)] == [b"6789", b"0123456789", b"0123456789"]
    assert store.tail(bucket, "empty", 4) == b""
    with pytest.raises(ObjectGone):
        store.tail(bucket, "nothing", 4)


def test_store_reads_ranges_of_the_object_it_was_told(lake: tuple[Store, str]) -> None:
    store, bucket = lake
    first = store.put(bucket, KEY, b"0123456789")
    assert store.get_range(bucket, KEY, first.etag, 2, 3) == b"234"
    assert store.get_range(bucket, KEY, first.etag, 9, 1) == b"9"
    store.put(bucket, KEY, b"abcdefghij")
    with pytest.raises(ObjectGone):
        store.get_range(bucket, KEY, first.etag, 2, 3)


@pytest.mark.parametrize("size", [0, 1, 5 * 2**20, 5 * 2**20 + 1, 11 * 2**20])
def test_upload_is_seen_whole_or_not_at_all(
    size: int, lake: tuple[Store, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 23: of what was not completed nobody sees anything."""
    monkeypatch.setattr("adapters.uploads.PART_BYTES", 5 * 2**20)  # the least that S3 takes
    store, bucket = lake
    data = bytes(range(256)) * (size // 256 + 1)
    for end in ("abort", "complete"):
        upload = Upload(store, bucket, KEY)
        for start in range(0, size, 2**20):
            upload.write(data[start : min(start + 2**20, size)])
        assert store.head(bucket, KEY) is None
        getattr(upload, end)()
        upload.write(b"what a Parquet writer says when it is thrown away")
    assert store.get(bucket, KEY) == data[:size]


def test_fault_48_every_call_names_the_owner_of_the_bucket(aws_endpoint: str) -> None:
    bucket = f"contract-{next(NUMBERS)}"
    local_client("s3", aws_endpoint).create_bucket(Bucket=bucket)
    store = ObjectStore.connect(aws_endpoint, "us-east-1", owner="123456789012")
    said: list[Any] = []
    events = store._s3.meta.events
    events.register("before-send.s3", lambda request, **_: said.append(request.headers.get(OWNER)))
    stored = store.put(bucket, KEY, b"x" * 10)
    store.put_new(bucket, "new", b"x")
    store.head(bucket, KEY)
    store.get(bucket, KEY, stored.etag)
    store.get_range(bucket, KEY, stored.etag, 1, 2)
    store.tail(bucket, KEY, 2)
    upload = store.start_parts(bucket, "parts")
    etag = store.put_part(bucket, "parts", upload, 1, b"x")
    store.finish_parts(bucket, "parts", upload, [etag])
    store.drop_parts(bucket, "parts", store.start_parts(bucket, "parts"))
    list(store.keys(bucket, ""))
    store.delete(bucket, KEY)
    assert {one.decode() if isinstance(one, bytes) else one for one in said} == {"123456789012"}
    assert len(said) == 13


def test_store_lets_one_of_many_rivals_win(lake: tuple[Store, str]) -> None:
    store, bucket = lake
    write: Callable[[int], Stored | None] = lambda n: store.put_new(bucket, KEY, b"%d" % n)  # noqa: E731
    with ThreadPoolExecutor(8) as pool:
        won = [stored for stored in pool.map(write, range(16)) if stored is not None]
    assert len(won) == 1
    assert store.head(bucket, KEY) == won[0]


def keys(listed: Iterator[Stored]) -> list[str]:
    return [stored.key for stored in listed]
