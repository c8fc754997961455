"""The object store as the writer uses it: one that is away is asked again for minutes before it is given up."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar

from botocore.exceptions import ClientError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

from adapters.objects import STORE_ERRORS, ObjectGone, Stored
from lakehouse.errors import LakeError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# Full jitter from 0.2 s: writers that lost the store together do not come back together. 10 s at most, so that a
# store that is back is noticed while a shop still waits.
_WAIT = wait_random_exponential(multiplier=0.2, max=10)
# What no waiting mends: a bucket that does not exist and a role that may not write. Expired credentials are
# renewed by the SDK and answer 400.
_HOPELESS = frozenset({"NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


class Store(Protocol):
    """The part of `adapters.objects.ObjectStore` that landing needs."""

    def put_new(self, bucket: str, key: str, body: bytes, metadata: Mapping[str, str] = ...) -> Stored | None:
        """None when something stands there."""

    def head(self, bucket: str, key: str) -> Stored | None:
        """None when there is none."""

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """ObjectGone when there is none."""

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        """In key order."""


class PatientStore:
    """Bronze through a store that may be away; safe to share between threads.

    Raises LakeError when it stays away for `patience_s`, at once for what waiting cannot mend, and when `closing`
    is set while it waits. Nothing is lost then: what is not landed stays where it came from.
    """

    def __init__(
        self, store: Store, bucket: str, patience_s: float, closing: threading.Event | None = None
    ) -> None:
        self.bucket = bucket
        self._store, self._patience_s = store, patience_s
        self._closing = closing or threading.Event()

    def put_new(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> Stored | None:
        """Writes the object if nothing stands there; None when something does, perhaps our own lost answer."""
        return self._patiently(key, lambda: self._store.put_new(self.bucket, key, body, metadata or {}))

    def head(self, key: str) -> Stored | None:
        """The object without its bytes; None when there is none."""
        return self._patiently(key, lambda: self._store.head(self.bucket, key))

    def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""

        def work() -> bytes | None:
            try:
                return self._store.get(self.bucket, key)
            except ObjectGone:
                return None

        return self._patiently(key, work)

    def keys(self, prefix: str, start_after: str = "") -> list[str]:
        """Keys under a prefix in order, behind `start_after`."""
        return self._patiently(
            prefix, lambda: [s.key for s in self._store.keys(self.bucket, prefix, start_after)]
        )

    def _patiently(self, key: str, work: Callable[[], _T]) -> _T:
        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            _log.warning(
                "object store does not answer, asking again",
                extra={"key": key, "attempt": state.attempt_number, "problem": str(error)},
            )

        try:
            for attempt in Retrying(
                retry=retry_if_exception(_may_pass),
                wait=_WAIT,
                stop=stop_any(stop_after_delay(self._patience_s), stop_when_event_set(self._closing)),
                sleep=sleep_using_event(self._closing),
                before_sleep=tell,
                reraise=True,
            ):
                with attempt:
                    return work()
        except STORE_ERRORS as error:
            raise LakeError(
                f"s3://{self.bucket}/{key} cannot be reached: {error}. Nothing is lost: mend the store, its "
                "address, bucket or permissions, and start this again"
            ) from error
        raise AssertionError("tenacity either returns or raises")


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") not in _HOPELESS
    return isinstance(error, STORE_ERRORS)
