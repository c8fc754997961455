"""Files name nothing of one machine, dependency files hold no addresses, the locks fit the ranges."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.sources import ROOT, Snippet, lines_of, our_files

LOCKS = ("requirements.txt", "requirements-dev.txt")
# Homes and work folders; /home/me and the like are nobody's. Scratch folders only where a program would use them.
_MACHINE = re.compile(r"(?<![\w.{}/$*~-])/(?:work|farm|root|home|Users)/(?!me\b|you\b)[A-Za-z]")
_SCRATCH = re.compile(r"(?<![\w.{}/$*~-])/(?:var/)?tmp/[A-Za-z]")
# Where packages are kept is a setting of the machine that installs them.
_INDEX = re.compile(
    r"--(?:extra-)?index-url|--find-links|pythonhosted|registry\.npmjs|repo1?\.maven|proxy\.golang"
)
_SETTING = re.compile(r"\"(NEXUS_[A-Z_]+)\"")
OTHERS = [path for path in our_files() if path != Path(__file__)]
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w, ]+\])?==([^\s;]+)", re.MULTILINE)


def of_one_machine(snippets: Iterator[Snippet]) -> list[str]:
    """Lines with a path that exists on one machine only."""
    return [
        str(s)
        for s in snippets
        if _MACHINE.search(s.text) or ("tests" not in s.path.parts and _SCRATCH.search(s.text))
    ]


def addresses(snippets: Iterator[Snippet]) -> list[str]:
    """Lines that say where packages come from."""
    return [str(s) for s in snippets if _INDEX.search(s.text)]


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [line for path in OTHERS for line in of_one_machine(lines_of(path))]
    assert not found, "\n".join(found)


def test_no_file_says_where_packages_come_from() -> None:
    found = [line for path in OTHERS for line in addresses(lines_of(path))]
    assert not found, "\n".join(found)


def test_env_example_lists_the_settings_that_local_processes_read() -> None:
    """And none that nothing reads."""
    code = [path for path in OTHERS if path.suffix == ".py" and "tests" not in path.parts]
    read = {path: set(_SETTING.findall(path.read_text())) for path in code}
    local = {"local", "grpc_ingest", "bronze_writer"}
    wanted = {
        name
        for path, names in read.items()
        # a rehearsal reads no setting: it gives them to functions and hosts
        if path.relative_to(ROOT).parts[0] in local and "rehearsal" not in path.parts
        for name in names
    }
    listed = set(re.findall(r"\bNEXUS_[A-Z_]+\b", (ROOT / ".env.example").read_text()))
    assert sorted(wanted - listed) == []
    assert sorted(listed - set().union(*read.values())) == []


def test_locks_hold_no_address() -> None:
    for name in LOCKS:
        assert [str(line) for line in lines_of(ROOT / name) if "://" in line.text] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /work/main", 1),
        ('"/home/ana/x"', 1),
        ("framework/main", 0),
        ("/tmp/out", 1),
        ("tests/home/x", 0),
        ("/usr/bin/env", 0),
        ("https://x.example/root/a", 0),
    ],
)
def test_paths_of_one_machine_are_found(text: str, found: int) -> None:
    assert len(of_one_machine(iter([Snippet(Path("a"), 1, text)]))) == found


def test_locks_pin_and_hash_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        "requirements.txt": project["project"]["dependencies"],
        "requirements-dev.txt": [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]],
    }
    for name, requirements in asked.items():
        text = (ROOT / name).read_text()
        pins = {canonicalize_name(package): version for package, version in _PIN.findall(text)}
        for requirement in map(Requirement, requirements):
            version = pins.get(canonicalize_name(requirement.name))
            assert version is not None, f"{name} lacks {requirement}: run `make lock`"
            assert requirement.specifier.contains(version), (
                f"{name} has {version} for {requirement}: run `make lock`"
            )
        assert len(re.findall(r"^[A-Za-z0-9].*(?:\\\n)\s+--hash=sha256:", text, re.MULTILINE)) == len(
            _PIN.findall(text)
        )


def test_locks_agree_on_what_both_hold() -> None:
    product, dev = (dict(_PIN.findall((ROOT / name).read_text())) for name in LOCKS)
    assert {name: dev.get(name) for name in product} == product
