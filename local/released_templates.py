"""`python -m local.released_templates`: keeps of this version's templates what later versions must not lose.

Per environment one file: stateful resources with the properties that cannot be changed in place, outputs by name, and
what stacks read of each other. `local.stateful_diff` takes it for the templates that are deployed.
"""

import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from lakehouse.errors import InputError, NexusError
from local.stack_docs.__main__ import synthesize
from local.stateful_diff import STATEFUL, CreateOnly, by_schema, outputs_read
from local.templates import ROOT, Template, read_settings

RELEASED = ROOT / "tests" / "stacks" / "released"  # <version>/<environment>.json


def kept_of(template: Template, create_only: CreateOnly) -> Template:
    """The part of a template that an upgrade from it is checked by."""
    resources = {}
    for id_, resource in sorted(template["Resources"].items()):
        if resource["Type"] in STATEFUL:
            fixed = {path.partition("/")[0] for path in create_only(resource["Type"])}
            properties = resource.get("Properties", {})
            held = {key: properties[key] for key in sorted(fixed & set(properties))}
            resources[id_] = {"Type": resource["Type"], "Properties": held}
    read = sorted(set(outputs_read(template["Resources"])))
    return {
        "Resources": resources,
        "Outputs": {name: {} for name in sorted(template.get("Outputs", {}))},
        "Reads": [{"Fn::GetStackOutput": {"StackName": stack, "OutputName": name}} for stack, name in read],
    }


def write_release(version: str, apps: Mapping[str, Mapping[str, Template]], folder: Path) -> list[Path]:
    """`apps` by environment and stack. InputError when the version is there: released ones never change."""
    place = folder / version
    if place.exists():
        raise InputError(
            f"{version} is kept already: raise the version in pyproject.toml, or delete "
            f"tests/stacks/released/{version} if nobody has deployed it"
        )
    place.mkdir(parents=True)
    written = []
    for environment, templates in apps.items():
        create_only = by_schema(read_settings(environment).region)
        kept = {stack: kept_of(template, create_only) for stack, template in templates.items()}
        written.append(place / f"{environment}.json")
        written[-1].write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    return written


def main() -> int:
    """Exit code 3 when the version is kept already, or assets are missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    try:
        for path in write_release(project["version"], synthesize(), RELEASED):
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    except NexusError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
