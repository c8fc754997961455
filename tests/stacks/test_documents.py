"""Documents that are made from the application are those of this application."""

from local.stack_docs.__main__ import PAGE
from local.stack_docs.page import to_markdown
from local.templates import read_settings
from stacks.settings import ENVIRONMENTS
from tests.stacks.conftest import Compose


def test_documents_of_the_stacks_are_not_stale(raw_templates: Compose) -> None:
    apps = {name: {stack: dict(t) for stack, t in raw_templates(name).items()} for name in ENVIRONMENTS}
    page = to_markdown(apps, {name: read_settings(name) for name in ENVIRONMENTS})
    assert PAGE.is_file(), "run `make generate`"
    assert PAGE.read_text("utf-8") == page, "stale: run `make generate`"
