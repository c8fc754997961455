"""`python -m local.stack_docs`: synthesizes every environment, writes the page and the README's table of costs."""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lakehouse.errors import NexusError
from local.cost.prices import PriceList
from local.stack_docs.costs import with_costs
from local.stack_docs.page import to_markdown
from local.templates import ROOT, Template, read_settings, read_templates
from stacks.settings import ENVIRONMENTS

PAGE = ROOT / "docs" / "generated" / "stacks.md"
README = ROOT / "README.md"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a document is stale under --check, 3 when assets are missing."""
    parser = argparse.ArgumentParser(prog="python -m local.stack_docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when it is stale")
    given = parser.parse_args(arguments)
    try:
        documents = write_documents(synthesize(), README.read_text("utf-8"))
    except NexusError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    stale = [
        path for path, text in documents.items() if not path.is_file() or path.read_text("utf-8") != text
    ]
    for path in stale:
        if given.check:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make stack-docs`\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(documents[path], "utf-8")
    return 1 if given.check and stale else 0


def write_documents(apps: Mapping[str, Mapping[str, Template]], readme: str) -> Mapping[Path, str]:
    """What each file should hold, from templates by environment and stack."""
    settings = {name: read_settings(name) for name in apps}
    return {
        PAGE: to_markdown(apps, settings),
        README: with_costs(readme, apps, settings, PriceList.load()),
    }


def synthesize() -> Mapping[str, Mapping[str, Template]]:
    """All environments, from the assets that `make assets` built."""
    import json

    import stacks  # noqa: F401 - first of all: it tells jsii which Node to take
    from app import compose
    from stacks.assets import Assets
    from stacks.base import App

    context = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    apps = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ENVIRONMENTS:
            app = App(
                context={**context, "env": name}, outdir=str(Path(folder, name)), analytics_reporting=False
            )
            compose(app, read_settings(name), Assets())
            app.synth()
            apps[name] = read_templates(name, Path(folder, name))
    return apps


if __name__ == "__main__":
    sys.exit(main())
