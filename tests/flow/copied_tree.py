"""A copy of this repository that a test may change: contracts are added to it, its generator and its pipeline run."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.flow.nexus import ROOT

_LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".nexus",
    "build",
    "node_modules",
    "cdk.out",
    "__pycache__",
    "*_cache",
    ".hypothesis",
    "tests",
)


class CopiedTree:
    """The copy at `root`."""

    def __init__(self, root: Path) -> None:
        shutil.copytree(ROOT, root, ignore=_LEFT_OUT)
        self.root = root

    def contract(self, entity: str) -> Path:
        """An entity's contract file."""
        return self.root / "lakehouse" / "contracts" / f"{entity}.yaml"

    def change(self, entity: str, version: str, *columns: dict[str, Any]) -> None:
        """Gives a contract another version, and more columns."""
        document = yaml.safe_load(self.contract(entity).read_text("utf-8"))
        document["version"] = version
        document["schema"][0]["properties"] += columns
        self.contract(entity).write_text(
            yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8"
        )

    def generate(self, code: int = 0) -> str:
        """What `make generate` says; its .venv is the one that this test runs in."""
        made = self.run("make", "-o", "setup-dev", "generate", f"PY={sys.executable}")
        assert bool(made.returncode) == bool(code), made.stdout + made.stderr
        return made.stdout + made.stderr

    def check(self) -> str:
        """The generated files that are stale, as `make check` finds them."""
        return "".join(
            self.run(sys.executable, "-m", module, "--check").stderr
            for module in ("local.generate", "grpc_ingest.proto.compile")
        )

    def python(self, program: str, *arguments: str) -> str:
        """Standard output of a program that runs on the copy's code."""
        made = self.run(sys.executable, "-c", program, *arguments)
        assert made.returncode == 0, made.stderr
        return made.stdout

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command in the copy."""
        return subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, check=False, timeout=120
        )
