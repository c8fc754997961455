"""The page: stacks with their resources, outputs and parameters per environment; then who may do what."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass

from local.stack_docs.plain import plain
from local.stack_docs.policies import Grant, grants_of_roles, grants_on_resources, managed, trusted
from local.templates import Template
from stacks.settings import ENVIRONMENTS, Settings

App = Mapping[str, Template]  # templates by stack
_WHAT = "<!-- Written by `make stack-docs` from the synthesized application. Do not edit. -->"


def to_markdown(apps: Mapping[str, App], settings: Mapping[str, Settings]) -> str:
    """`apps` and `settings` by environment. Hashes and account numbers are left out: only what matters changes it."""
    lines = [
        _WHAT,
        "# Stacks",
        "",
        "What `cdk deploy --all -c env=…` makes, by environment: resources, outputs, parameters, and who may do what.",
        "`<prefix>` is the environment's bucket prefix; names carry the environment behind `nexus-`.",
        "",
        *_overview(apps),
        *_parameters(settings),
    ]
    for stack in _stacks(apps):
        lines += _stack(stack, {name: app[stack] for name, app in apps.items() if stack in app}, settings)
    return "\n".join([*lines, *_roles(apps, settings), *_on_resources(apps, settings)]).rstrip() + "\n"


def _stacks(apps: Mapping[str, App]) -> list[str]:
    return list(dict.fromkeys(stack for app in apps.values() for stack in app))


def _overview(apps: Mapping[str, App]) -> list[str]:
    rows = []
    for stack in _stacks(apps):
        template = next(app[stack] for app in apps.values() if stack in app)
        meaning = str(template["Description"]).partition(": ")[2]
        counts = [str(len(app[stack]["Resources"])) if stack in app else "–" for app in apps.values()]
        rows.append([f"[{stack}](#{stack})", meaning, *counts])
    return _table(["stack", "holds", *(f"resources in {name}" for name in apps)], rows)


def _parameters(settings: Mapping[str, Settings]) -> list[str]:
    """Every value of cdk.json; one that is the same everywhere is no knob."""
    values = {name: dict(_values(found, "")) for name, found in settings.items()}
    keys = values[next(iter(values))]
    rows = [[f"`{key}`", *(found[key] for found in values.values())] for key in keys]
    return ["## Parameters", "", *_table(["in cdk.json", *settings], rows)]


def _values(block: object, place: str) -> Iterable[tuple[str, str]]:
    assert is_dataclass(block)
    for field in fields(block):
        value = getattr(block, field.name)
        if is_dataclass(value):
            yield from _values(value, f"{place}{field.name}.")
        elif field.name not in ("environment", "destroys"):
            said = ", ".join(value) if isinstance(value, tuple) else str(value)
            yield f"{place}{field.name}", said.lower() if isinstance(value, bool) else said


def _stack(name: str, templates: Mapping[str, Template], settings: Mapping[str, Settings]) -> list[str]:
    counts = {
        environment: Counter(resource["Type"] for resource in template["Resources"].values())
        for environment, template in templates.items()
    }
    kinds = sorted(set().union(*counts.values()))
    rows = [
        [f"`{kind}`", *(str(counts[e][kind]) if e in counts else "–" for e in settings)] for kind in kinds
    ]
    lines = [f"## {name}", "", *_table(["resource type", *settings], rows)]
    outputs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for environment, template in templates.items():
        for id_, output in template.get("Outputs", {}).items():
            if said := output.get("Description"):
                outputs[id_, said].append(f"`{plain(output['Value'], settings[environment])}`")
    if outputs:
        rows = [
            [f"`{id_}`", said, ", ".join(dict.fromkeys(values))]
            for (id_, said), values in sorted(outputs.items())
        ]
        lines += _table(["output", "meaning", "value"], rows)
    return lines


def _roles(apps: Mapping[str, App], settings: Mapping[str, Settings]) -> list[str]:
    lines = ["## Who may do what", ""]
    for stack in _stacks(apps):
        found: dict[str, dict[Grant, list[str]]] = defaultdict(lambda: defaultdict(list))
        by_whom: dict[str, str] = {}
        for name, app in apps.items():
            if stack not in app:
                continue
            by_whom |= trusted(app[stack], settings[name])
            for role, policies in managed(app[stack], settings[name]).items():
                by_whom[role] = f"{by_whom[role].partition(' (')[0]} (holds {', '.join(policies)})"
            for grant in grants_of_roles(stack, app[stack], settings[name]):
                found[grant.who][grant].append(name)
        for role in sorted(set(found) | set(by_whom)):
            lines += [f"### {role} ({stack})", "", f"Assumed by {by_whom.get(role, 'whoever holds it')}.", ""]
            lines += _grants(found[role])
    return lines


def _on_resources(apps: Mapping[str, App], settings: Mapping[str, Settings]) -> list[str]:
    found: dict[Grant, list[str]] = defaultdict(list)
    for name, app in apps.items():
        for stack, template in app.items():
            for grant in grants_on_resources(stack, template, settings[name]):
                found[grant].append(name)
    lines = [
        "## Policies on resources",
        "",
        "Beside what roles may do: who else may, and what nobody may.",
        "",
    ]
    for stack in _stacks(apps):
        own = {grant: names for grant, names in found.items() if grant.stack == stack}
        if own:
            lines += [f"### On those of {stack}", "", *_grants(own, with_whom=True)]
    return lines


def _grants(found: Mapping[Grant, Sequence[str]], *, with_whom: bool = False) -> list[str]:
    """One row for resources on which the same is allowed, with all actions."""
    actions: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for grant, names in found.items():
        actions[grant.resource, grant.who, grant.effect, grant.condition, _only(names)].add(grant.action)
    resources: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for (resource, *rest), done in actions.items():
        resources[*rest, _listed(done)].add(resource)
    rows = sorted(
        [_listed(on), *([who] if with_whom else []), effect, done, only, _code(condition)]
        for (who, effect, condition, only, done), on in resources.items()
    )
    head = ["resource", *(["who"] if with_whom else []), "", "action", "only in", "where"]
    return _table(head, rows)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _only(names: Sequence[str]) -> str:
    return "" if len(names) == len(ENVIRONMENTS) else ", ".join(names)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return [line(head), line(["---"] * len(head)), *map(line, rows), ""]
