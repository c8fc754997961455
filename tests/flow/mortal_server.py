"""A ledger's server that dies."""

from dataclasses import dataclass
from pathlib import Path

from local.postgres import Postgres, start_postgres, stop_postgres
from local.processes import kill


@dataclass
class MortalServer:
    """A server of its own that a test may kill, and start again at the same address."""

    folder: Path
    running: Postgres

    def kill(self) -> None:
        kill(self.running.child)

    def stop(self) -> None:
        stop_postgres(self.running.child)

    def start(self) -> None:
        self.running = start_postgres(self.folder / "pg", self.folder / "logs", self.running.port)
