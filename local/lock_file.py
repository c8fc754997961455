"""Reads `requirements.txt` as uv writes it: what is locked, for which machines, with which hashes, and who wants it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from packaging.markers import Marker

from lakehouse.errors import InputError

_HEAD = re.compile(r"^(?P<name>[\w.-]+)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)(\s*;\s*(?P<marker>[^\\]*))?")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
_VIA = re.compile(r"^\s*#\s+(?:via\s+)?(?!via\s*$)(?P<name>[\w.-]+)(\[[^\]]*\])?\s*$")


@dataclass(frozen=True)
class Locked:
    """One version of one library. `wanted_by`: names of those that need it. `marker`: for which machines, or empty."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: frozenset[str]


def plain_name(name: str) -> str:
    """As indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(text: str) -> list[Locked]:
    """All that is locked, in the file's order. One library may stand there twice, for different machines."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if _HEAD.match(line):
            blocks.append([line])
        elif blocks:
            blocks[-1].append(line)
    return [_read_block(block) for block in blocks]


def needed_by(lock: Sequence[Locked], roots: Collection[str], environment: Mapping[str, str]) -> list[Locked]:
    """The roots and all they need on a machine with these marker values, by name. InputError for an unknown root."""
    here = {one.name: one for one in lock if not one.marker or Marker(one.marker).evaluate(dict(environment))}
    if missing := sorted(set(map(plain_name, roots)) - set(here)):
        raise InputError(
            f"{', '.join(missing)} is not in the lock: add it to pyproject.toml and run `make lock`"
        )
    found = set(map(plain_name, roots))
    while more := {name for name, one in here.items() if name not in found and one.wanted_by & found}:
        found |= more
    return [here[name] for name in sorted(found)]


def _read_block(lines: Sequence[str]) -> Locked:
    head = _HEAD.match(lines[0])
    assert head is not None
    return Locked(
        name=plain_name(head["name"]),
        version=head["version"],
        marker=(head["marker"] or "").strip(),
        hashes=tuple(_HASH.findall("\n".join(lines))),
        wanted_by=frozenset(plain_name(via["name"]) for line in lines if (via := _VIA.match(line))),
    )
