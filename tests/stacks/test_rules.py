"""AWS's published rules, on every environment: cdk-nag and cfn-lint."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from stacks.assets import Assets
from tests.stacks.conftest import Assembly, cdk_context, synthesize


def lint_errors(files: Iterable[Path]) -> list[str]:
    """What cfn-lint takes for an error, with the template's name. One run for all: it reads its own rules first."""
    from cfnlint.config import ConfigMixIn  # it reads schemas of all of AWS when it is loaded
    from cfnlint.runner import Runner

    asked = ConfigMixIn([], templates=[str(file) for file in files], regions=["us-east-1"])
    return [
        f"{Path(match.filename).name}: {match}"
        for match in Runner(asked).run()
        if match.rule.id.startswith("E")
    ]


@pytest.fixture(
    scope="module", params=[("dev", {}), ("staging", {}), ("prod", {}), ("dev", {"destroy": "dev"})]
)
def checked(
    request: pytest.FixtureRequest, assets: Assets, tmp_path_factory: pytest.TempPathFactory
) -> Assembly:
    """Synthesized with the rules on; a finding that nobody accepted fails here."""
    environment, extra = request.param
    context = cdk_context(environment, {}, extra)
    return synthesize(context, assets, tmp_path_factory.mktemp("checked"), by_rules=True)


def test_rules_find_nothing_that_nobody_accepted(checked: Assembly) -> None:
    report = json.loads((checked.folder / "validation-report.json").read_text("utf-8"))
    assert report["pluginReports"]
    assert [v for plugin in report["pluginReports"] for v in plugin["violations"]] == []


def test_synthesis_asks_aws_for_nothing(checked: Assembly) -> None:
    """What is missing, the CLI would look up with credentials."""
    assert "missing" not in checked.manifest


def test_templates_have_no_error_that_cfn_lint_knows(checked: Assembly) -> None:
    assert lint_errors(checked.files.values()) == []


def test_what_the_command_line_runs_fails_on_a_bucket_without_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the tests above would pass with the rules off."""
    from aws_cdk import Stack
    from aws_cdk import aws_s3 as s3

    import app as command
    from stacks.base import App

    careless = App(context=cdk_context("dev", {}, {}), outdir=str(tmp_path))
    monkeypatch.setattr(command, "App", lambda: careless)
    monkeypatch.setattr(command, "compose", lambda app, *_: s3.Bucket(Stack(app, "Careless"), "Open"))
    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        command.main()


def test_error_that_cfn_lint_knows_is_found(tmp_path: Path) -> None:
    file = tmp_path / "one.template.json"
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": "for ever"}}
    file.write_text(json.dumps({"Resources": {"Queue": queue}}), "utf-8")
    [found] = lint_errors([file])
    assert found.startswith("one.template.json: [E3012")
