"""Each seeded defect is seen by the test that is named for it: the suite over the templates can fail."""

from collections.abc import Callable

import pytest

from tests.conftest import Golden
from tests.stacks.conftest import Compose
from tests.stacks.defects import DEFECTS
from tests.stacks.mutations import Defect, survives, to_page
from tests.stacks.seeding import put


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.id)
def test_mutation_is_caught_by_the_named_test(
    defect: Defect, raw_templates: Compose, record_property: Callable[[str, object], None]
) -> None:
    record_property("defect", defect.says)
    record_property("caught_by", defect.caught_by)
    problem = survives(defect, raw_templates)
    assert not problem, problem


def test_mutation_that_nobody_looks_at_survives(raw_templates: Compose) -> None:
    change = put("AWS::S3::Bucket", "Nobody", "looks")
    defect = Defect("nothing", "storage", change, "test_network::test_network_logs_all_flows_with_an_end")
    assert "does not see it" in survives(defect, raw_templates)


def test_mutation_list_is_in_the_documents(golden: Golden) -> None:
    golden.check("../../docs/generated/mutations.md", to_page(DEFECTS))


def test_mutation_list_is_long_and_without_doubles() -> None:
    assert len(DEFECTS) >= 30
    assert len({defect.says for defect in DEFECTS}) == len(DEFECTS)
