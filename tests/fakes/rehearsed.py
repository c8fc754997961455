"""An AWS that takes every call, and what the rehearsal is told of where it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.rehearsal.wanted import Home, Wanted


class AnyClient:
    """An AWS that takes every call, and answers with what any of them may be asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Mapping[str, Any]:
            self.calls.append((name, arguments))
            return {"QueueUrl": "http://localhost/queue"}

        return call


def a_home(folder: Path = Path("nowhere"), client: Any = None) -> Home:
    return Home(
        lambda _service: client or AnyClient(),
        lambda _type, _name, _value: None,
        "123456789012",
        "us-east-1",
        "http://localhost:1",
        folder,
        "postgresql://owner@localhost/ledger",
    )


def a_wanted(type_: str, client: Any = None, **properties: Any) -> Wanted:
    return Wanted(a_home(client=client), type_, "Thing", ("nexus-dev-part", "stack-id"), properties)
