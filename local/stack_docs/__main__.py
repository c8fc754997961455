"""`python -m local.stack_docs`: synthesizes every environment and writes the page (`--check`: only compares)."""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lakehouse.errors import NexusError
from local.stack_docs.page import to_markdown
from local.templates import ROOT, Template, read_settings, read_templates
from stacks.settings import ENVIRONMENTS

PAGE = ROOT / "docs" / "generated" / "stacks.md"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when the page is stale under --check, 3 when assets are missing."""
    parser = argparse.ArgumentParser(prog="python -m local.stack_docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when it is stale")
    given = parser.parse_args(arguments)
    try:
        page = to_markdown(_synthesize(), {name: read_settings(name) for name in ENVIRONMENTS})
    except NexusError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    if given.check:
        if PAGE.is_file() and PAGE.read_text("utf-8") == page:
            return 0
        sys.stderr.write(f"{PAGE.relative_to(ROOT)} is stale: run `make generate`\n")
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page, "utf-8")
    return 0


def _synthesize() -> Mapping[str, Mapping[str, Template]]:
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
