"""A document's console blocks, run as they stand: each `$ command` in order, its answer compared with the one told."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

# What differs from run to run: ids of logs and of content, addresses, the day.
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"emb-\d{8}t\d{6}-[0-9a-f]{4}"), "<log>"),
    (re.compile(r"year=\d{4}/month=\d\d/day=\d\d"), "<day>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r'"offset": "\d+"'), '"offset": <offset>'),
)


@dataclass
class Told:
    """A command and the lines that the document says it answers. A command with no lines may say anything."""

    command: str
    lines: list[str] = field(default_factory=list)


def blocks(document: Path, kind: str) -> list[str]:
    """Texts of a document's code blocks of one kind, in order."""
    tokens = MarkdownIt("commonmark").parse(document.read_text("utf-8"))
    return [token.content for token in tokens if token.type == "fence" and token.info.strip() == kind]


def told(document: Path) -> Iterator[Told]:
    """The commands of a document's console blocks; a here-document's lines belong to its command."""
    for block in blocks(document, "console"):
        current: Told | None = None
        end = ""
        for line in block.splitlines():
            if end and current:
                current.command += "\n" + line
                end = "" if line == end else end
            elif line.startswith("$ "):
                if current:
                    yield current
                current = Told(line[2:])
                found = re.search(r"<<'(\w+)'", line)
                end = found[1] if found else ""
            elif current and line.strip():
                current.lines.append(line)
        if current:
            yield current


class Session:
    """A shell in a folder of code, in which `nexus`, `python` and `make` are those of this environment."""

    def __init__(self, root: Path, place: Path, **environment: str) -> None:
        place.mkdir(parents=True)
        self._root = root
        for name, call in (
            ("nexus", f'exec "{sys.executable}" -m local "$@"'),
            ("python", f'exec "{sys.executable}" "$@"'),
            ("make", f'exec {self._make()} -o setup-dev PY="{sys.executable}" "$@"'),
        ):
            (place / name).write_text(f"#!/bin/sh\n{call}\n")
            (place / name).chmod(0o755)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        path = f"{place}:{os.environ['PATH']}"
        self._environment = inherited | {"PATH": path, "COLUMNS": "200"} | environment

    @staticmethod
    def _make() -> str:
        return subprocess.run(
            ["sh", "-c", "command -v make"], capture_output=True, text=True, check=True
        ).stdout.strip()

    def run(self, command: str) -> str:
        """All that a command says."""
        made = subprocess.run(
            ["sh", "-c", command],
            cwd=self._root,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=120,
        )
        return made.stdout

    def missing(self, step: Told) -> list[str]:
        """Runs a step; the lines told of it that it does not answer, in their order."""
        said = iter([_plain(line) for line in self.run(step.command).splitlines()])
        return [line for line in step.lines if not any(_plain(line) in answer for answer in said)]


def _plain(line: str) -> str:
    for pattern, stand_in in _CHANGING:
        line = pattern.sub(stand_in, line)
    return " ".join(line.split())
