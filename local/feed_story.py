"""What a generated shop's `shop.json` says happens to its events on the way."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lakehouse.errors import InputError
from local.shop.clock import DAY_US, MINUTE_US
from local.shop.expectation import FORMAT
from local.shop.generator import EXPECTATION

Row = tuple[str, int]  # entity, record number in its file


@dataclass(frozen=True)
class Extra:
    """One more event of a row: a resend (`minutes` after the first), a correction or a delete."""

    kind: Literal["resend", "correction", "delete"]
    row: Row
    delay: int = 0  # microseconds behind the row's moment; for resends
    occurred_at: int = 0  # for corrections and deletes
    changes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FeedStory:
    """`late`: microseconds by which a row arrives late. `clocks`: moments that stand in place of a row's own."""

    late: Mapping[Row, int] = field(default_factory=dict)
    clocks: Mapping[Row, int] = field(default_factory=dict)
    extras: tuple[Extra, ...] = ()
    keys: Mapping[Row, Mapping[str, str]] = field(default_factory=dict)


def read_story(folder: Path) -> FeedStory:
    """The story in a folder; an empty one where there is no `shop.json`, or one that is not ours."""
    path = folder / EXPECTATION
    if not path.is_file():
        return FeedStory()
    try:
        document = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} cannot be read ({error}). Delete it, or have the shop made anew."
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return FeedStory()
    return FeedStory(
        late={_row(item): item["days"] * DAY_US for item in document["late"]},
        clocks={_row(item): item["occurred_at"] for item in document["clocks"]},
        extras=tuple(_extras(document)),
        keys={_row(i): i["key"] for kind in _TOLD for i in document[kind]},
    )


_TOLD = ("late", "clocks", "resends", "corrections", "deletes")


def _extras(document: Mapping[str, Any]) -> Iterable[Extra]:
    for item in document["resends"]:
        yield Extra("resend", _row(item), delay=item["minutes"] * MINUTE_US)
    for item in document["corrections"]:
        yield Extra("correction", _row(item), occurred_at=item["occurred_at"], changes=item["changes"])
    for item in document["deletes"]:
        yield Extra("delete", _row(item), occurred_at=item["occurred_at"])


def _row(item: Mapping[str, Any]) -> Row:
    return item["entity"], item["record"]
