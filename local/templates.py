"""What `make synth` wrote, read again: templates by stack, and the settings they were made from. Needs no CDK."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse.errors import InputError
from stacks.naming import Names
from stacks.settings import Settings

ROOT = Path(__file__).parents[1]
SYNTHESIZED = ROOT / "build" / "cdk.out"

Template = dict[str, Any]


def read_settings(environment: str, root: Path = ROOT, **context: str) -> Settings:
    """Settings of an environment of cdk.json, with more of the app's context (`destroy="dev"`)."""
    found = json.loads((root / "cdk.json").read_text("utf-8"))["context"]
    return Settings.from_context({**found, "env": environment, **context}.get, {})


def read_templates(environment: str, folder: Path = SYNTHESIZED) -> dict[str, Template]:
    """Templates by the stack's subject (network, storage, ...), in the order in which they are deployed.

    InputError when nothing is there, or it is of another environment.
    """
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise InputError(f"{folder} holds no synthesized app: run `make synth ENV={environment}`")
    artifacts: Mapping[str, Any] = json.loads(manifest.read_text("utf-8")).get("artifacts", {})
    stacks = {
        id_: artifact for id_, artifact in artifacts.items() if artifact["type"] == "aws:cloudformation:stack"
    }
    prefix = Names(environment, "").stack("")
    templates: dict[str, Template] = {}
    for id_ in _in_order(stacks):
        properties = stacks[id_]["properties"]
        name = str(properties.get("stackName", id_))
        if not name.startswith(prefix):
            raise InputError(f"{folder} is not of {environment}: run `make synth ENV={environment}`")
        templates[name.removeprefix(prefix)] = json.loads(
            (folder / properties["templateFile"]).read_text("utf-8")
        )
    return templates


def _in_order(stacks: Mapping[str, Any]) -> list[str]:
    """Each behind those it depends on; otherwise as the manifest has them."""
    done: list[str] = []

    def visit(id_: str) -> None:
        if id_ in done or id_ not in stacks:
            return
        for other in stacks[id_].get("dependencies", []):
            visit(other)
        done.append(id_)

    for id_ in stacks:
        visit(id_)
    return done
