"""Which stack may know of which: no cycles, no edges but these, none that locks a deployment."""

import json
import re
from collections.abc import Callable, Iterator, Mapping

from local.sleep import KEPT
from tests.stacks.conftest import Assembly, Compose
from tests.stacks.reading import Raw

# A stack may take what these expose. Observability knows names only, and nobody knows it.
ALLOWED: Mapping[str, set[str]] = {
    "storage": set(),
    "network": {"storage"},
    "database": {"network"},
    "catalog": {"storage"},
    "streaming": {"network", "storage"},
    "connect": {"network", "storage", "catalog", "streaming"},
    "processing": {"network", "storage", "catalog", "database"},
    "ingest": {"network", "storage", "catalog", "streaming", "database"},
    "orchestration": {"network", "storage", "catalog", "database"},
    "canary": {"network", "storage", "catalog", "database", "ingest"},
    "observability": set(),
}


def edges(templates: Mapping[str, Raw], environment: str) -> Iterator[tuple[str, str]]:
    """(who takes, whom from) of every reference from stack to stack."""
    for name, template in templates.items():
        for found in re.findall(r'"Fn::GetStackOutput": {"StackName": "([^"]+)"', json.dumps(template)):
            yield name, found.removeprefix(f"nexus-{environment}-")


def test_graph_has_no_edge_but_the_allowed(raw_templates: Compose, environment: str) -> None:
    templates = raw_templates(environment)
    assert set(templates) <= set(ALLOWED)
    wrong = {(who, whom) for who, whom in edges(templates, environment) if whom not in ALLOWED[who]}
    assert wrong == set()


def test_graph_is_in_the_order_of_deployment(raw_templates: Compose, environment: str) -> None:
    templates = raw_templates(environment)
    order = list(templates)
    assert {(a, b) for a, b in edges(templates, environment) if order.index(a) <= order.index(b)} == set()


def test_check_is_deployed_before_its_writers(assemblies: Callable[..., Assembly]) -> None:
    """It knows the columns of a newer contract before any of them lands."""
    assert "Processing" in assemblies("dev").manifest["artifacts"]["Ingest"]["dependencies"]


def test_graph_uses_no_exports(raw_templates: Compose, environment: str) -> None:
    for template in raw_templates(environment).values():
        assert "Fn::ImportValue" not in json.dumps(template)
        assert not [id_ for id_, output in template.get("Outputs", {}).items() if "Export" in output]


def test_graph_has_no_cycle_within_a_stack(raw_templates: Compose, environment: str) -> None:
    for template in raw_templates(environment).values():
        needs = {name: set(_needs(resource)) for name, resource in template["Resources"].items()}
        done: set[str] = set()
        while ready := {
            name for name, others in needs.items() if name not in done and others & set(needs) <= done
        }:
            done |= ready
        assert set(needs) - done == set()


def test_graph_of_what_stays_asleep_needs_nothing_that_goes(raw_templates: Compose, environment: str) -> None:
    found = {(who, whom) for who, whom in edges(raw_templates(environment), environment) if who in KEPT}
    assert {whom for _, whom in found} <= set(KEPT)


def test_graph_outputs_are_described(raw_templates: Compose, environment: str) -> None:
    for template in raw_templates(environment).values():
        assert template["Description"]
        outputs = template.get("Outputs", {})
        bare = [
            id_
            for id_, output in outputs.items()
            if not output.get("Description") and not id_.startswith("Publish")
        ]
        assert bare == []


def _needs(resource: Raw) -> Iterator[str]:
    """Logical ids that a resource refers to or waits for."""
    yield from resource.get("DependsOn", [])
    text = json.dumps(resource)
    yield from re.findall(r'"Ref": "(\w+)"', text)
    yield from re.findall(r'"Fn::GetAtt": \["(\w+)"', text)
