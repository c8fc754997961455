"""A real local AWS server as a child process, for tests that stop, kill or starve it."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from local.aws_setup import local_client

ROOT = Path(__file__).parents[2]
READY_S = 60  # a start takes two seconds; a loaded machine many


class AwsProcess:
    """One server over `lake`; `start` after `kill` or `stop` opens the same lake again. A context manager."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self.port_file, self.log_file = lake.parent / f"{lake.name}.port", lake.parent / f"{lake.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        self.port_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            command = [sys.executable, "-m", "local.aws_server", "--lake", str(self.lake)]
            command += ["--port-file", str(self.port_file)]
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log)
        deadline = time.monotonic() + READY_S
        while not self.port_file.exists():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port_file.read_text().strip()}"

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def client(self, service: str) -> Any:
        return local_client(service, self.endpoint)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(READY_S)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def restart(self) -> Self:
        assert self.stop() == 0, self.log
        return self.start()
