"""Puts the rows of all event files into the order in which they arrive."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from local.feed_index import StreamIndex
from local.feed_story import Extra, FeedStory

_CHUNK = 8192  # arrivals made at a time: enough to make numpy worth it, little to hold

Numbers = npt.NDArray[np.int64]


class Arrival(NamedTuple):
    """One event to be: the rank of its file, its bytes there, its moment, and what happens to it on the way."""

    rank: int
    start: int
    end: int
    occurred_at: int
    extra: Extra | None


def arrivals(indexes: Sequence[StreamIndex], story: FeedStory) -> Iterator[list[Arrival]]:
    """All arrivals in chunks.

    Sorted by when they arrive, then by file (orders, items, payments, reviews), then by record; what happens to a row
    comes after the row. A late row keeps its moment and comes later; a clock that is ahead changes the moment alone.
    """
    table = _join(_rows(indexes, story), _extra_rows(indexes, story))
    order = np.lexsort((table.record, table.rank, table.arrives_at))  # stable: an extra stands behind its row
    first_extra = len(order) - len(story.extras)
    for begin in range(0, len(order), _CHUNK):
        chosen = order[begin : begin + _CHUNK]
        columns = (table.rank, table.record, table.occurred_at)
        yield [
            Arrival(
                rank,
                indexes[rank].starts[record],
                indexes[rank].ends[record],
                occurred_at,
                story.extras[place - first_extra] if place >= first_extra else None,
            )
            for place, rank, record, occurred_at in zip(
                chosen.tolist(), *(column[chosen].tolist() for column in columns), strict=True
            )
        ]


class _Table(NamedTuple):
    """Columns of the same length, one row per arrival."""

    rank: Numbers
    record: Numbers
    occurred_at: Numbers
    arrives_at: Numbers


def _rows(indexes: Sequence[StreamIndex], story: FeedStory) -> _Table:
    """The rows that travel, file by file."""
    tables = []
    for rank, index in enumerate(indexes):
        entity = index.file.form.entity
        occurred_at, arrives_at = _numbers(index.moments), _numbers(index.moments)
        for (owner, record), moment in story.clocks.items():
            if owner == entity:
                occurred_at[record] = moment
        for (owner, record), late in story.late.items():
            if owner == entity:
                arrives_at[record] += late
        good = _numbers(index.good)
        tables.append(_Table(np.full_like(good, rank), good, occurred_at[good], arrives_at[good]))
    return _join(*tables)


def _extra_rows(indexes: Sequence[StreamIndex], story: FeedStory) -> _Table:
    """What happens to rows besides, in the order of the story."""
    ranks = {index.file.form.entity: rank for rank, index in enumerate(indexes)}
    rows = []
    for extra in story.extras:
        entity, record = extra.row
        moment = indexes[ranks[entity]].moments[record]
        if extra.kind == "resend":
            rows.append((ranks[entity], record, story.clocks.get(extra.row, moment), moment + extra.delay))
        else:
            rows.append((ranks[entity], record, extra.occurred_at, extra.occurred_at))
    return _Table(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)


def _join(*tables: _Table) -> _Table:
    return _Table(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))


def _numbers(values: Sequence[int]) -> Numbers:
    return np.array(values, dtype=np.int64)
