"""Hosts of the ingest stack as its template describes them."""

from typing import Any

from stacks.settings import Settings
from tests.stacks.conftest import Compose, cdk_context
from tests.stacks.reading import Raw, Statement, named, resources, statements, text_of

GROUPS = {"ingest": "IngestHosts", "writer": "WriterHosts"}


def ingest(raw_templates: Compose, environment: str, **changes: Any) -> Raw:
    template: Raw = raw_templates(environment, **changes)["ingest"]
    return template


def settings_of(environment: str) -> Settings:
    return Settings.from_context(cdk_context(environment, {}, {}).get, {})


def launch(template: Raw, environment: str, service: str) -> Raw:
    found = resources(template, "AWS::EC2::LaunchTemplate")
    return dict(named(found, "LaunchTemplateName", f"nexus-{environment}-{service}")["LaunchTemplateData"])


def script(template: Raw, environment: str, service: str) -> str:
    return text_of(launch(template, environment, service)["UserData"]["Fn::Base64"])


def environment_file(template: Raw, environment: str, service: str) -> dict[str, str]:
    text = script(template, environment, service)
    body = text.partition("service.env\" <<'NEXUS_END'\n")[2].partition("\nNEXUS_END")[0]
    return dict(line.split("=", 1) for line in body.splitlines())


def facts(template: Raw, environment: str, service: str) -> dict[str, str]:
    """What the script is told of the host."""
    lines = script(template, environment, service).partition("mkdir")[0].splitlines()
    return {name: value.strip("'") for name, value in (line.split("=", 1) for line in lines if "=" in line)}


def rights(template: Raw, role: str) -> list[Statement]:
    return [one for one in statements(template) if one.owner.startswith(role)]


def may(found: list[Statement], service: str) -> dict[str, set[str]]:
    """Actions of a service by resource."""
    allowed: dict[str, set[str]] = {}
    for one in found:
        for resource in one.resources:
            actions = {action for action in one.actions if action.startswith(f"{service}:")}
            if actions:
                allowed.setdefault(resource, set()).update(actions)
    return allowed
