"""Templates of every environment, synthesized once per session and setting, without the rules and without a network."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import stacks  # noqa: F401 - first of all: it tells jsii which Node to take
from local.assets import build_functions
from local.host_artifact import build_hosts
from stacks.assets import Assets
from stacks.settings import ENVIRONMENTS, Settings

ROOT = Path(__file__).parents[2]
Raw = dict[str, Any]
Compose = Callable[..., Mapping[str, Raw]]


def cdk_context(environment: str, changes: Mapping[str, Any], extra: Mapping[str, Any]) -> Raw:
    """The context of cdk.json with the environment's block changed: a block's keys one by one, a value as a whole."""
    context: Raw = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    block = context[environment]
    for key, value in changes.items():
        block[key] = {**block[key], **value} if isinstance(value, Mapping) else value
    return {**context, "env": environment, **extra}


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """Assets built from this tree."""
    folder = tmp_path_factory.mktemp("assets")
    build_functions(folder)
    build_hosts(folder, fetch=lambda _lock: {})  # libraries of hosts are no matter of templates
    return Assets(folder)


@pytest.fixture(scope="session")
def raw_templates(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """`raw_templates(environment="dev", context={}, **changes)`: templates as JSON, by the stack's name.

    `changes` are settings (`database={"proxy": True}`, `removal="retain"`), `context` what `-c` gives.
    """
    known: dict[str, Mapping[str, Raw]] = {}

    def compose_once(
        environment: str = "dev", context: Mapping[str, Any] | None = None, **changes: Any
    ) -> Mapping[str, Raw]:
        asked = json.dumps([environment, context, changes], sort_keys=True)
        if asked not in known:
            folder = tmp_path_factory.mktemp(f"out-{environment}")
            known[asked] = _compose(cdk_context(environment, changes, context or {}), assets, folder)
        return known[asked]

    return compose_once


@pytest.fixture(scope="session")
def templates(raw_templates: Compose) -> Callable[..., Mapping[str, Any]]:
    """The same as `aws_cdk.assertions.Template`."""
    from aws_cdk.assertions import Template

    def ask(*arguments: Any, **changes: Any) -> Mapping[str, Any]:
        found = raw_templates(*arguments, **changes)
        return {name: Template.from_json(template) for name, template in found.items()}

    return ask


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment in turn."""
    name: str = request.param
    return name


def _compose(context: Raw, assets: Assets, folder: Path) -> Mapping[str, Raw]:
    from app import compose
    from stacks.base import App

    # that an environment's stacks are described where they came from is of no use to a test, and takes its time
    app = App(
        context={**context, "aws:cdk:disable-stack-trace": True},
        outdir=str(folder),
        analytics_reporting=False,
    )
    stacks_by_name = compose(app, Settings.from_context(app.node.try_get_context, {}), assets)
    app.synth()
    return {
        name: json.loads((folder / stack.template_file).read_text("utf-8"))
        for name, stack in stacks_by_name.items()
    }
