"""Reads from the lake what a ledger should hold, partition by partition: listings, metadata and footers, never rows."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal, Protocol, TypeVar

from adapters.footers import read_footer
from adapters.objects import Stored
from lakehouse.account import FoundRevision, ObjectAccount, settle
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.closed_log import ClosedLog
from lakehouse.errors import LakeError, NexusError
from lakehouse.footer import OutputFooter
from lakehouse.paths import CLOSED_LOGS, PUBLISHED_GOLD, BronzeKey, Buckets, LoadManifestKey, OutputKey
from local.gold import PublishedGold

# Requests for footers under way at once: a listing of S3 is faster than eight of them, more would be throttled.
_READERS = 8
_T = TypeVar("_T")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Store(Protocol):
    """The reading half of `adapters.objects.ObjectStore`."""

    def head(self, bucket: str, key: str) -> Stored | None:
        """None when there is none."""

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """ObjectGone when there is none."""

    def tail(self, bucket: str, key: str, size: int) -> bytes:
        """The object's last bytes; ObjectGone when it is gone."""

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        """In key order."""


Layer = Literal["silver", "quarantine"]


@dataclass(frozen=True)
class Output:
    """A Silver or Quarantine object and its footer, or why there is none."""

    layer: Layer
    revision: int
    stored: Stored
    footer: OutputFooter | str

    @property
    def key(self) -> str:
        """Its key."""
        return self.stored.key


@dataclass
class _Files:
    """What the listings have of one Bronze object."""

    bronze: Stored | None = None
    outputs: list[tuple[Layer, int, Stored]] = field(default_factory=list)


@dataclass(frozen=True)
class LakeObject:
    """An account and the files it was taken from; `bronze` None: it is not in the lake (any more)."""

    account: ObjectAccount
    bronze: Stored | None
    outputs: tuple[Output, ...]

    @property
    def problems(self) -> list[str]:
        """What is odd about it, for a person."""
        damaged = [output.footer for output in self.outputs if isinstance(output.footer, str)]
        return damaged + ([f"{self.account.key}: {self.account.doubt}"] if self.account.doubt else [])


@dataclass(frozen=True)
class PartitionAccount:
    """The objects of one partition, those first that hold their offsets by right.

    `strangers`: objects under Bronze keys of the partition that the check hop refuses, with the reason.
    """

    log: str
    partition: int
    objects: tuple[LakeObject, ...]
    strangers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LakeAccounts:
    """A lake to be read."""

    store: Store
    buckets: Buckets
    entities: Mapping[str, Entity]

    def published_silver(self) -> frozenset[str]:
        """Silver keys that published Gold was made of: those were committed for sure."""
        try:
            text = self.store.get(self.buckets.gold, PUBLISHED_GOLD)
            silver = PublishedGold.from_text(text).silver
        except NexusError:
            return frozenset()
        return frozenset(key for keys in silver.values() for key in keys)

    def load_records(self) -> Iterator[tuple[LoadManifestKey, int]]:
        """Manifests of batch loads, and how many records each file has."""
        for entity in self.entities:
            for stored in self.store.keys(self.buckets.bronze, f"{entity}/_loads/"):
                if (key := _parsed(LoadManifestKey.parse, stored.key)) is None:
                    continue
                try:
                    yield key, int(json.loads(self.store.get(self.buckets.bronze, stored.key))["records"])
                except (ValueError, KeyError, TypeError) as error:
                    raise LakeError(f"{key} is no manifest of a load ({error!r}): look at it") from error

    def closed_logs(self) -> Iterator[ClosedLog]:
        """Notes of logs whose broker is gone."""
        for stored in self.store.keys(self.buckets.bronze, CLOSED_LOGS):
            yield ClosedLog.from_text(self.store.get(self.buckets.bronze, stored.key))

    def partitions(self, entity: str, published: frozenset[str]) -> Iterator[PartitionAccount]:
        """Every partition of an entity of which the lake has anything, batch files among them."""
        groups: dict[tuple[str, int], dict[str, _Files]] = defaultdict(lambda: defaultdict(_Files))
        for stored in self.store.keys(self.buckets.bronze, f"{entity}/year="):
            if (key := _parsed(BronzeKey.parse, stored.key)) is not None:
                groups[key.log, key.partition][stored.key].bronze = stored
        for bucket, layer in self._layers():
            for stored in self.store.keys(bucket, f"{entity}/v"):
                if (output := _parsed(OutputKey.parse, stored.key)) is not None:
                    files = groups[output.bronze.log, output.bronze.partition][str(output.bronze)]
                    files.outputs.append((layer, output.revision, stored))
        for (log, number), files_of in sorted(groups.items()):
            yield self._partition(log, number, files_of, published)

    def _layers(self) -> tuple[tuple[str, Layer], ...]:
        return (self.buckets.silver, "silver"), (self.buckets.quarantine, "quarantine")

    def _partition(
        self, log: str, number: int, files_of: Mapping[str, _Files], published: frozenset[str]
    ) -> PartitionAccount:
        wanted = [(key, *output) for key, files in sorted(files_of.items()) for output in files.outputs]
        outputs: dict[str, list[Output]] = defaultdict(list)
        with ThreadPoolExecutor(_READERS) as pool:
            for key, output in pool.map(lambda w: (w[0], self._read(*w[1:])), wanted):
                outputs[key].append(output)
        objects, strangers = [], {}
        for key, files in sorted(files_of.items()):
            try:
                objects.append(self._object(key, files.bronze, tuple(outputs[key]), published))
            except LakeError as error:
                strangers[key] = str(error)
        return PartitionAccount(log, number, tuple(_by_right(objects)), strangers)

    def _read(self, layer: Layer, revision: int, stored: Stored) -> Output:
        bucket = self.buckets.silver if layer == "silver" else self.buckets.quarantine
        try:
            return Output(layer, revision, stored, read_footer(self.store, bucket, stored.key))
        except LakeError as error:
            return Output(layer, revision, stored, str(error))

    def _object(
        self, key: str, bronze: Stored | None, outputs: tuple[Output, ...], published: frozenset[str]
    ) -> LakeObject:
        known = [f for o in outputs if isinstance(f := o.footer, OutputFooter) and str(f.bronze.key) == key]
        metadata, etag, size = self._identity(key, bronze, known)
        found = [
            _found(revision, [o for o in outputs if o.revision == revision], (key, etag), published)
            for revision in sorted({o.revision for o in outputs})
        ]
        first = bronze.modified if bronze else min((f.written_at for f in found), default=None)
        account = settle(metadata, etag, size, first or _LONG_AGO, found)
        return LakeObject(account, bronze, outputs)

    def _identity(
        self, key: str, bronze: Stored | None, known: Sequence[OutputFooter]
    ) -> tuple[BronzeMetadata, str, int]:
        """What was checked: as the footers say, or as the object itself says when there is no footer of it."""
        if bronze is not None:
            for footer in known:
                if (footer.bronze_etag, footer.bronze_size) == (bronze.etag, bronze.size):
                    return footer.bronze, bronze.etag, bronze.size
        if known:  # the original is gone or was replaced: the newest outputs tell what it was
            footer = max(known, key=lambda f: f.revision)
            return footer.bronze, footer.bronze_etag, footer.bronze_size
        if bronze is None:
            raise LakeError(f"{key} is gone, and nothing that can be read tells what it held")
        stored = bronze if bronze.metadata else self.store.head(self.buckets.bronze, key)
        if stored is None:
            raise LakeError(f"{key} was removed while the lake was read")
        metadata = BronzeMetadata.from_s3(stored.metadata)
        if str(metadata.key) != key:
            raise LakeError(f"{key} has the metadata of {metadata.key}: was it copied or renamed by hand?")
        return metadata, stored.etag, stored.size


def _found(
    revision: int, files: Sequence[Output], made_of: tuple[str, str], published: frozenset[str]
) -> FoundRevision:
    """One revision from its files; a file does not count that was made of another object than this (key, ETag)."""
    footers = {o.layer: o.footer for o in files}
    ours = [
        f
        for f in footers.values()
        if isinstance(f, OutputFooter) and (str(f.bronze.key), f.bronze_etag) == made_of
    ]
    footer = ours[0] if ours else None
    silver = footer is not None and footer.revision == revision and footers.get("silver") == footer
    held = footer is None or not footer.quarantine_key or footers.get("quarantine") == footer
    written_at = max(o.stored.modified or _LONG_AGO for o in files)
    return FoundRevision(
        revision,
        footer,
        silver and held,
        written_at,
        any(o.key in published for o in files),
        lacks_quarantine=silver and not held and "quarantine" not in footers,
    )


def _by_right(objects: Sequence[LakeObject]) -> list[LakeObject]:
    """In the order of their offsets; where some overlap, in the order in which they were most likely committed."""
    ordered = sorted(objects, key=lambda o: o.account.metadata.first_offset)
    ranges = [o.account.metadata for o in ordered]
    if not any(b.first_offset < a.end_offset for a, b in pairwise(ranges)):
        return ordered
    return sorted(
        ordered,
        key=lambda o: (
            not any(f.published for f in o.account.revisions.values()),
            o.account.newest.written_at if o.account.newest else datetime.max.replace(tzinfo=UTC),
            o.account.key,
        ),
    )


def _parsed(parse: Callable[[str], _T], key: str) -> _T | None:
    try:
        return parse(key)
    except LakeError:
        return None
