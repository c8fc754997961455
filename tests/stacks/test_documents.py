"""Documents that are made from the application are those of this application."""

from local.cost.load import CANARY_RUNS_PER_DAY, HOURS, SWEEPS_PER_DAY
from local.cost.page import asleep, make_bill
from local.cost.prices import PriceList
from local.stack_docs.__main__ import README, write_documents
from local.templates import read_settings
from stacks.settings import ENVIRONMENTS
from tests.stacks.conftest import ROOT, Compose
from tests.stacks.reading import named, resources


def test_documents_of_the_stacks_are_not_stale(raw_templates: Compose) -> None:
    """docs/generated/stacks.md, and the totals in the README; what is in no bill is an error here."""
    apps = {name: {stack: dict(t) for stack, t in raw_templates(name).items()} for name in ENVIRONMENTS}
    for path, text in write_documents(apps, README.read_text("utf-8")).items():
        assert path.is_file(), "run `make stack-docs`"
        assert path.read_text("utf-8") == text, f"{path.relative_to(ROOT)} is stale: run `make stack-docs`"


def test_deployment_names_the_dollars_of_an_hour(raw_templates: Compose) -> None:
    """In docs/deploy.md, of dev: awake and idle, and asleep."""
    settings, prices = read_settings("dev"), PriceList.load()
    bill = make_bill(raw_templates("dev"), settings, prices)
    left = asleep(bill, settings, prices)
    assert left is not None
    said = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert f"from here on {bill.totals[0] / HOURS:.2f} an hour" in said
    assert f"asleep {left / HOURS:.3f} an hour" in said


def test_costs_count_what_runs_by_the_clock_as_often_as_it_runs(raw_templates: Compose) -> None:
    for stack, name, per_day in (
        ("canary", "canary", CANARY_RUNS_PER_DAY),
        ("processing", "sweep-bronze", SWEEPS_PER_DAY),
    ):
        rules = resources(raw_templates("dev")[stack], "AWS::Events::Rule")
        rule = named(rules, "Name", f"nexus-dev-{name}")
        assert rule["ScheduleExpression"] == f"rate({24 * 60 // per_day} minutes)"
