"""Runs the command `nexus` as a person does, in a process of its own, on a lake of the test's."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deadline import wait_until

ROOT = Path(__file__).parents[2]


class Nexus:
    """One lake and the command line, of this repository or of a copy of it."""

    def __init__(self, lake: Path, root: Path = ROOT, **environment: str) -> None:
        self.lake, self._root = lake, root
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._environment: Mapping[str, str] = (
            inherited | {"NEXUS_LAKE": str(lake), "COLUMNS": "150", "NEXUS_REFRESH": "off"} | environment
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A command, not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "local", *arguments],
            cwd=self._root,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        """Standard output of a command that must end with this exit code."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        assert process.returncode == code, f"nexus {' '.join(arguments)}: {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return out if code == 0 else out + err

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The JSON that a command prints."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def wait_until_checked(self, event_id: str) -> None:
        """Until every position of an acknowledged event is in Silver or Quarantine."""

        def checked() -> bool:
            out, _ = self.start("where", event_id, "--json").communicate(timeout=60)
            found = json.loads(out) if out else []
            return bool(found) and all(s["place"] in ("silver", "quarantine") for s in found)

        wait_until(checked, f"{event_id} was not checked")

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of published Gold."""
        rows: list[dict[str, Any]] = self.json("query", sql)
        return rows

    def __enter__(self) -> "Nexus":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of the lake stays behind, whatever the test has done to it."""
        self.start("down", "--now").communicate(timeout=60)
