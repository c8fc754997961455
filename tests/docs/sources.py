"""The files that the repository is made of, and the commands, links and addresses in them."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
# What a copy without git leaves out; with git, .gitignore says it.
_NOT_OURS = {".git", ".venv", ".nexus", "__pycache__", "node_modules", "target"}
_BINARY = {".png", ".jpg", ".ico", ".parquet", ".gz", ".zip", ".woff2"}


@dataclass(frozen=True)
class Snippet:
    """A piece of a file and the line it stands in."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        path = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        return f"{path}:{self.line}: {self.text}"


def our_files(root: Path = ROOT) -> list[Path]:
    """Every text file that is committed or would be, in order."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if (root / ".git").exists() and listed.returncode == 0:
        names = [Path(root, name) for name in listed.stdout.split("\0") if name]
    else:
        names = [
            Path(folder, name)
            for folder, folders, files in os.walk(root)
            if not folders.__setitem__(
                slice(None), [f for f in folders if f not in _NOT_OURS and f[-6:] != "_cache"]
            )
            for name in files
        ]
    return sorted(path for path in names if path.is_file() and path.suffix not in _BINARY)


def lines_of(path: Path) -> Iterator[Snippet]:
    """Each line of a file."""
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        yield Snippet(path, number, line)


def links_of(path: Path) -> Iterator[Snippet]:
    """Targets of a Markdown file's links and pictures."""
    for line, token in _inline(_tokens(path)):
        target = token.attrGet("href") if token.type == "link_open" else token.attrGet("src")
        if token.type in ("link_open", "image") and target is not None:
            yield Snippet(path, line, str(target))


def code_of(path: Path) -> Iterator[Snippet]:
    """Lines of a Markdown file's code blocks, and its code spans."""
    tokens = _tokens(path)
    for token in tokens:
        if token.type in ("fence", "code_block") and token.map:
            first = token.map[0] + (2 if token.type == "fence" else 1)
            for number, text in enumerate(token.content.splitlines(), first):
                yield Snippet(path, number, text)
    for number, token in _inline(tokens):
        if token.type == "code_inline":
            yield Snippet(path, number, " ".join(token.content.split()))


def backticked(path: Path) -> Iterator[Snippet]:
    """What stands between single backticks in a source file: docstrings, comments, messages."""
    for snippet in lines_of(path):
        for found in re.finditer(r"(?<!`)`([^`]+)`(?!`)", snippet.text):
            yield Snippet(path, snippet.line, found[1])


def headings_of(path: Path) -> set[str]:
    """Anchors that a Markdown file's headings get."""
    tokens = _tokens(path)
    texts = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def _tokens(path: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(path.read_text("utf-8"))


def _inline(tokens: list[Token]) -> Iterator[tuple[int, Token]]:
    for token in tokens:
        for child in token.children or ():
            yield (token.map[0] + 1 if token.map else 1), child
