"""Every command that documents, messages and docstrings name exists, with the options they give it."""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from local.cli import app
from tests.docs.sources import ROOT, Snippet, backticked, code_of, our_files

_MAKE = re.compile(r"(?:^|[;&|(]\s*|\$ )make((?: +[\w./=\"'-]+)*)")
_NEXUS = re.compile(r"(?:^|[;&|(]\s*|\$ )(?:\.venv/bin/)?nexus\b((?: [^;&|#]*)?)")


def documented() -> Iterator[Snippet]:
    """Code in Markdown, and what stands in backticks in programs."""
    for path in our_files():
        if path.suffix == ".md":
            yield from code_of(path)
        elif path.suffix in (".py", ".sql", ".yml", ".yaml", ".proto") and "tests" not in path.parts:
            yield from backticked(path)


def make_targets(makefile: str) -> set[str]:
    """Targets that a Makefile defines."""
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))


def unknown_targets(snippets: Iterable[Snippet], targets: set[str]) -> list[Snippet]:
    """Snippets that call make with a target that is none."""
    return [
        snippet
        for snippet in snippets
        for found in _MAKE.finditer(snippet.text)
        for word in found[1].split()
        if re.fullmatch(r"[a-z][a-z-]*", word) and word not in targets
    ]


def wrong_calls(snippets: Iterable[Snippet], root: Any) -> list[str]:
    """What is wrong with each call of `nexus`: a subcommand or an option that is not there."""
    return [
        f"{snippet}: {problem}"
        for snippet in snippets
        for found in _NEXUS.finditer(snippet.text)
        if (problem := _problem(found[1], root))
    ]


def _problem(arguments: str, command: Any) -> str:
    try:
        words = shlex.split(arguments.replace("…", "..."), comments=True)
    except ValueError:  # a line of a command that goes on
        words = arguments.split()
    while words and hasattr(command, "commands"):
        word = words.pop(0)
        if word.startswith("-"):
            words.insert(0, word)
            break
        if not re.fullmatch(r"[a-z][a-z-]*(\|[a-z-]+)*", word):
            return ""  # COMMAND and the like stand for any
        choices = [command.commands.get(name) for name in word.split("|")]
        if None in choices:
            return f"there is no {word!r} in {command.name}"
        command = choices[0]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    options |= {"--help"}
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    unknown = [word for word in given if word not in options]
    return f"{command.name} has no {', '.join(unknown)}" if unknown else ""


def test_documented_make_targets_exist() -> None:
    targets = make_targets((ROOT / "Makefile").read_text())
    assert {"demo", "test", "check", "fix"} <= targets
    found = [str(snippet) for snippet in unknown_targets(documented(), targets)]
    assert not found, "\n".join(found)


def test_documented_nexus_calls_exist() -> None:
    found = wrong_calls(documented(), typer.main.get_command(app))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("make demo DATA=folder", 0),
        ("cd x && make gone", 1),
        ("$ make test ARGS=-x gone", 1),
        ("make", 0),
        ("we make gone things", 0),
        ("cmake gone", 0),
    ],
)
def test_unknown_make_targets_are_found(text: str, wrong: int) -> None:
    snippet = Snippet(Path("a.md"), 1, text)
    assert len(unknown_targets([snippet], {"demo", "test"})) == wrong


def made_up_program() -> typer.Typer:
    """`nexus load ENTITY FILE [--as DAY]`, `nexus list one`, `nexus list two`."""
    program, listing = typer.Typer(name="nexus"), typer.Typer()

    @program.command()
    def load(entity: str, file: str, day: str = typer.Option("", "--as")) -> None: ...

    @listing.command()
    def one() -> None: ...

    @listing.command()
    def two() -> None: ...

    program.add_typer(listing, name="list")
    return program


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nexus load reviews FILE.csv --dry", "--dry"),
        (".venv/bin/nexus gone", "gone"),
        ("x && nexus list gone", "gone"),
        ("nexus load reviews FILE.csv --as=2018-01-01", ""),
        ("nexus list one|two", ""),
        ("nexus COMMAND --help", ""),
        ("nexus load --help  # --gone", ""),
        ("alias nexus=.venv/bin/nexus", ""),
        ("keystone-nexus gone", ""),
    ],
)
def test_wrong_nexus_calls_are_found(text: str, problem: str) -> None:
    found = wrong_calls([Snippet(Path("a.md"), 1, text)], typer.main.get_command(made_up_program()))
    assert len(found) == bool(problem)
    assert problem in "".join(found)
