"""AWS's published rules, on every environment: cdk-nag and cfn-lint. Nag is switched on here and in app.py alone."""

import json
from pathlib import Path

import pytest

from stacks.assets import Assets
from tests.stacks.conftest import cdk_context


@pytest.fixture(
    scope="module", params=[("dev", {}), ("staging", {}), ("prod", {}), ("dev", {"destroy": "dev"})]
)
def checked(request: pytest.FixtureRequest, assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an assembly that was synthesized with the rules on; a finding nobody accepted fails here."""
    from app import compose
    from stacks.base import App, check_by_rules
    from stacks.settings import Settings

    environment, extra = request.param
    folder = tmp_path_factory.mktemp("checked")
    app = App(context=cdk_context(environment, {}, extra), outdir=str(folder))
    compose(app, Settings.from_context(app.node.try_get_context, {}), assets)
    check_by_rules(app)
    app.synth()
    return folder


def test_rules_find_nothing_that_nobody_accepted(checked: Path) -> None:
    report = json.loads((checked / "validation-report.json").read_text("utf-8"))
    assert [v for plugin in report["pluginReports"] for v in plugin["violations"]] == []


def test_synthesis_asks_aws_for_nothing(checked: Path) -> None:
    """What is missing, the CLI would look up with credentials."""
    assert "missing" not in json.loads((checked / "manifest.json").read_text("utf-8"))


def test_rules_fail_the_synthesis_of_a_bucket_without_tls(tmp_path: Path) -> None:
    """Else the test above would pass with the rules off."""
    from aws_cdk import Stack
    from aws_cdk import aws_s3 as s3

    from stacks.base import App, check_by_rules

    app = App(outdir=str(tmp_path))
    s3.Bucket(Stack(app, "Careless"), "Open")
    check_by_rules(app)
    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()


def test_templates_have_no_error_that_cfn_lint_knows(checked: Path) -> None:
    from cfnlint.api import lint  # it reads schemas of all of AWS when it is loaded
    from cfnlint.config import ManualArgs

    asked = ManualArgs(regions=["us-east-1"])
    found = [
        f"{template.name}: {match}"
        for template in sorted(checked.glob("*.template.json"))
        for match in lint(template.read_text("utf-8"), config=asked)
        if match.rule.id.startswith("E")
    ]
    assert found == []
