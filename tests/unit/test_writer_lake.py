"""A store that is away is asked again, and given up with a message that says what to do."""

import threading

import pytest

from bronze_writer import lake
from bronze_writer.lake import PatientStore
from lakehouse.errors import LakeError
from tests.fakes.object_store import FakeObjectStore, StoreThatIsAway, StoreWithoutBucket


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "_WAIT", lambda state: 0)


@pytest.mark.usefixtures("no_wait")
def test_store_that_comes_back_is_written() -> None:
    store = StoreThatIsAway(failures=20)
    patient = PatientStore(store, "b", patience_s=60)
    assert patient.put_new("k", b"x", {"rows": "1"}) is not None
    store.failures = 3
    assert patient.get("k") == b"x"
    store.failures = 3
    assert patient.keys("") == ["k"]
    store.failures = 3
    found = patient.head("k")
    assert found is not None
    assert found.metadata == {"rows": "1"}


def test_store_that_stays_away_is_an_error_with_the_remedy() -> None:
    with pytest.raises(LakeError, match=r"s3://b/k cannot be reached: .*Nothing is lost"):
        PatientStore(StoreThatIsAway(failures=10**6), "b", patience_s=0).put_new("k", b"x")


def test_missing_bucket_is_told_at_once() -> None:
    with pytest.raises(LakeError, match="NoSuchBucket"):
        PatientStore(StoreWithoutBucket(), "b", patience_s=10**6).put_new("k", b"x")


def test_waiting_for_a_store_ends_when_the_writer_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    closing, waiting = threading.Event(), threading.Event()

    class Told(StoreThatIsAway):
        def head(self, bucket: str, key: str) -> None:
            waiting.set()
            super().head(bucket, key)

    patient = PatientStore(Told(failures=10**9), "b", patience_s=10**6, closing=closing)
    monkeypatch.setattr(lake, "_WAIT", lambda state: 10**6)
    failures: list[LakeError] = []

    def work() -> None:
        try:
            patient.head("k")
        except LakeError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert waiting.wait(30)
    closing.set()
    thread.join(30)
    assert len(failures) == 1


def test_object_that_is_not_there_is_none() -> None:
    patient = PatientStore(FakeObjectStore(), "b", patience_s=0)
    assert patient.get("k") is None
    assert patient.head("k") is None
