"""Templates of every environment, synthesized once per session and setting, without the rules and without a network."""

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import stacks  # noqa: F401 - first of all: it tells jsii which Node to take
from local.assets import build_functions
from local.host_artifact import build_hosts
from local.layer import build_layers
from stacks.assets import Assets
from stacks.settings import ENVIRONMENTS, Settings

ROOT = Path(__file__).parents[2]
UNDEPLOYED = (
    *("airflow-dags.zip", "airflow-plugins.zip", "airflow-requirements.txt", "airflow-startup.sh"),
    "bronze-sink.zip",
)
Raw = dict[str, Any]
Compose = Callable[..., Mapping[str, Raw]]


@dataclass(frozen=True)
class Assembly:
    """What a synthesis wrote: its folder, and templates and their files by the stack's name, in order."""

    folder: Path
    templates: Mapping[str, Raw]
    files: Mapping[str, Path]

    @property
    def manifest(self) -> Raw:
        """What the CLI reads first."""
        found: Raw = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        return found


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
    build_layers(folder, fetch=lambda _lock: {"library.py": b""})
    build_hosts(folder, fetch=lambda _lock: {})  # libraries of hosts are no matter of templates
    return Assets(folder)


@pytest.fixture(scope="session")
def assemblies(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Assembly]:
    """`assemblies(environment="dev", context={}, **changes)`: each synthesized when it is first asked for.

    `changes` are settings (`database={"proxy": True}`, `removal="retain"`), `context` what `-c` gives.
    """
    known: dict[str, Assembly] = {}

    def synthesize_once(
        environment: str = "dev", context: Mapping[str, Any] | None = None, **changes: Any
    ) -> Assembly:
        asked = json.dumps([environment, context or {}, changes], sort_keys=True)
        if asked not in known:
            folder = tmp_path_factory.mktemp(f"out-{environment}")
            known[asked] = synthesize(cdk_context(environment, changes, context or {}), assets, folder)
        return known[asked]

    return synthesize_once


@pytest.fixture(scope="session")
def raw_templates(assemblies: Callable[..., Assembly]) -> Compose:
    """The templates of an assembly as JSON, by the stack's name; asked for as `assemblies` is."""

    def ask(*arguments: Any, **changes: Any) -> Mapping[str, Raw]:
        return assemblies(*arguments, **changes).templates

    return ask


@pytest.fixture(scope="session")
def all_assets(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """With files in the place of what is not built yet: the connector's plugin and what Airflow installs."""
    folder = tmp_path_factory.mktemp("all-assets")
    shutil.copytree(assets.folder, folder, dirs_exist_ok=True)
    write_undeployed(folder)
    return Assets(folder)


@pytest.fixture(scope="session")
def undeployed(all_assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Assembly]:
    """`undeployed(environment)`: with every stack there is, the connector and Airflow among them, by AWS's rules."""
    known: dict[str, Assembly] = {}

    def synthesize_once(environment: str) -> Assembly:
        if environment not in known:
            context = cdk_context(environment, {"land": {"by": "connect"}}, {})
            folder = tmp_path_factory.mktemp(f"all-{environment}")
            known[environment] = synthesize(context, all_assets, folder, with_airflow=True, by_rules=True)
        return known[environment]

    return synthesize_once


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment in turn."""
    name: str = request.param
    return name


def write_undeployed(folder: Path, text: str = "a fixture") -> None:
    """Files of the connector and of Airflow, of any content."""
    for name in UNDEPLOYED:
        if name.endswith(".zip"):
            with zipfile.ZipFile(folder / name, "w") as archive:
                archive.writestr(zipfile.ZipInfo("module.py"), text)
        else:
            (folder / name).write_text(f"# {text}\n", "utf-8")


def synthesize(
    context: Raw, assets: Assets, folder: Path, *, with_airflow: bool = False, by_rules: bool = False
) -> Assembly:
    """What `app.py` writes. With Airflow, which it does not compose yet; by AWS's rules, findings of which fail."""
    from app import compose
    from stacks.base import App, NexusStack, check_by_rules
    from stacks.orchestration import OrchestrationStack

    # where in our code a construct was made is of no use to a test, and takes its time
    app = App(
        context={**context, "aws:cdk:disable-stack-trace": True},
        outdir=str(folder),
        analytics_reporting=False,
    )
    settings = Settings.from_context(app.node.try_get_context, {})
    made: dict[str, NexusStack] = dict(compose(app, settings, assets))
    if with_airflow:
        others: dict[str, Any] = {name: made[name] for name in ("network", "storage", "catalog", "database")}
        made["orchestration"] = OrchestrationStack(app, settings, assets, **others)
    if by_rules:
        check_by_rules(app)
    app.synth()
    files = {name: folder / stack.template_file for name, stack in made.items()}
    return Assembly(
        folder, {name: json.loads(file.read_text("utf-8")) for name, file in files.items()}, files
    )
