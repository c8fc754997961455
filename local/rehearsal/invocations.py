"""Answers Lambda's Invoke by the deployed function, which moto would run in Docker, or answer with a word of its own.

What differs here from its deployed environment stands in a file that the rehearsal has written.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaBackend

from lakehouse.errors import RuntimeFault
from local.lake_store import write_whole
from local.moto_hooks import Hook, Original
from local.rehearsal.deployed import Running, fetch
from local.rehearsal.wanted import Home, TemplateRefused

_CHANGES = "changes"


def change_environment(folder: Path, function: str, changes: Mapping[str, str]) -> None:
    """What the function is told otherwise from now on, when it is invoked."""
    (folder / _CHANGES).mkdir(exist_ok=True)
    write_whole(_changes_file(folder, function), json.dumps(dict(changes)))


def _changes_file(folder: Path, function: str) -> Path:
    return folder / _CHANGES / f"{function}.json"


class Invocations:
    """In the server's process, each in the thread of its request. `close` ends what still runs."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._running: set[Running] = set()
        self._closed = False

    def hooks(self) -> tuple[Hook, ...]:
        """All that is wrapped in moto."""
        return (Hook(LambdaBackend, "invoke", self._invoke),)

    def close(self) -> None:
        """Kills functions that are in the middle of something, and lets none begin."""
        with self._lock:
            self._closed = True
            for running in self._running:
                running.kill()

    def _invoke(
        self,
        _original: Original,
        backend: LambdaBackend,
        function_name: str,
        qualifier: str | None,
        body: Any,
        _headers: Any,
        response_headers: dict[str, str],
    ) -> bytes:
        name = backend.get_function(function_name, qualifier).function_name
        try:
            answer = self._run(name, qualifier, json.loads(body or b"{}"))
        except RuntimeFault as error:
            # as Lambda says it when a function fails, or its time is over
            response_headers["x-amz-function-error"] = "Unhandled"
            answer = {"errorType": "FunctionFailed", "errorMessage": str(error)}
        told = json.dumps(answer).encode()
        response_headers["Content-Length"] = str(len(told))
        return told

    def _run(self, name: str, qualifier: str | None, event: Mapping[str, Any]) -> Any:
        home = self._home
        entry = home.find("AWS::Lambda::Function", "Arn", home.arn("lambda", f"function:{name}"))
        if entry is None:
            raise TemplateRefused(f"no stack has made the function {name}")
        deployed = fetch(
            home.client("lambda"), home.client("s3"), home.find, entry, home.folder, qualifier or "$LATEST"
        )
        changes_file = _changes_file(home.folder, name)
        changes = json.loads(changes_file.read_text("utf-8")) if changes_file.exists() else {}
        with self._lock:
            if self._closed:
                raise RuntimeFault(f"{name} is not begun: the local AWS ends")
            running = Running(deployed, home.folder, home.endpoint, home.region, changes)
            self._running.add(running)
        try:
            with running:
                return running.call(event)
        finally:
            with self._lock:
                self._running.discard(running)
