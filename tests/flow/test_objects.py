"""The object store on a real local S3: conditional writes, pinned reads, listings, trouble."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest
from botocore.exceptions import ClientError

from adapters import objects
from adapters.objects import STORE_ERRORS, ObjectGone, ObjectStore
from lakehouse.bronze import BronzeMetadata
from local.aws_setup import local_client
from local.processes import free_port
from tests.builders.bronze import a_bronze_object
from tests.fakes.s3 import S3ThatConflicts

REGION = "us-east-1"
AWKWARD = "orders/log+0+00000000000000000000 100%25.parquet"


@pytest.fixture(scope="module")
def new_bucket(aws_endpoint: str) -> Callable[[], str]:
    numbers = count()
    s3 = local_client("s3", aws_endpoint)

    def make() -> str:
        name = f"objects-{next(numbers)}"
        s3.create_bucket(Bucket=name)
        return name

    return make


@pytest.fixture
def bucket(new_bucket: Callable[[], str]) -> str:
    return new_bucket()


@pytest.fixture(scope="module")
def store(aws_endpoint: str) -> ObjectStore:
    return ObjectStore.connect(aws_endpoint, REGION)


def conflicting(store: ObjectStore, times: int, monkeypatch: pytest.MonkeyPatch) -> S3ThatConflicts:
    monkeypatch.setattr(objects, "wait_random_exponential", lambda **_: 0)
    fake = S3ThatConflicts(store._s3, times)
    monkeypatch.setattr(store, "_s3", fake)
    return fake


def test_put_new_writes_only_where_nothing_stands(store: ObjectStore, bucket: str) -> None:
    written = store.put_new(bucket, AWKWARD, b"first", {"rows": "3"})
    assert written is not None
    assert (written.key, written.size) == (AWKWARD, 5)
    assert store.put_new(bucket, AWKWARD, b"second") is None
    assert store.get(bucket, AWKWARD, written.etag) == b"first"
    assert store.head(bucket, AWKWARD) == written


def test_put_new_by_rivals_has_one_winner(store: ObjectStore, bucket: str) -> None:
    barrier = Barrier(8)

    def write(number: int) -> bool:
        barrier.wait(timeout=30)
        return store.put_new(bucket, "k", b"%d" % number) is not None

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert won.count(True) == 1
    assert store.get(bucket, "k") == b"%d" % won.index(True)


def test_put_new_is_tried_again_while_a_rival_write_is_under_way(
    store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = conflicting(store, 4, monkeypatch)
    body = io.BytesIO(b"whole")
    body.seek(2)  # wherever its maker left it, all of it is written
    written = store.put_new(bucket, "k", body)
    monkeypatch.undo()
    assert written is not None
    assert (fake.calls, written.size, store.get(bucket, "k")) == (5, 5, b"whole")


def test_put_new_that_never_stops_conflicting_is_an_error(
    store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = conflicting(store, 99, monkeypatch)
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        store.put_new(bucket, "k", b"x")
    assert fake.calls == 5


def test_get_of_a_replaced_or_missing_object_is_gone(store: ObjectStore, bucket: str) -> None:
    first = store.put(bucket, "k", b"first")
    second = store.put(bucket, "k", b"second")
    with pytest.raises(ObjectGone, match=first.etag):
        store.get(bucket, "k", first.etag)
    assert store.get(bucket, "k", second.etag) == b"second"
    store.delete(bucket, "k")
    store.delete(bucket, "k")
    with pytest.raises(ObjectGone):
        store.get(bucket, "k")
    assert store.head(bucket, "k") is None


def test_missing_bucket_is_not_taken_for_a_missing_object(store: ObjectStore) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        store.get("no-such-bucket", "k")


@pytest.mark.parametrize("texts", [{}, {"void_reason": "expired", "topic_id": "a-b"}])
def test_bronze_metadata_survives_s3(store: ObjectStore, bucket: str, texts: dict[str, str]) -> None:
    metadata = a_bronze_object(5, 9, previous_end=0, hash_sum=2**64 - 1, **texts)
    store.put_new(bucket, str(metadata.key), b"", metadata.to_s3())
    found = store.head(bucket, str(metadata.key))
    assert found is not None
    assert BronzeMetadata.from_s3(found.metadata) == metadata


def test_keys_come_in_order_over_pages(store: ObjectStore, bucket: str) -> None:
    names = [f"log+0+{number:020d}" for number in range(1005)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: store.put(bucket, name, b""), reversed(names)))
    store.put(bucket, "other", b"")
    assert [found.key for found in store.keys(bucket, "log+0+")] == names
    behind = store.keys(bucket, "log+0+", start_after=names[1002])
    assert [found.key for found in behind] == names[1003:]


def test_store_away_raises_what_callers_retry(bucket: str) -> None:
    away = ObjectStore.connect(f"http://127.0.0.1:{free_port()}", REGION)
    with pytest.raises(STORE_ERRORS):
        away.head(bucket, "k")
    with pytest.raises(STORE_ERRORS):
        away.put_new(bucket, "k", b"")
