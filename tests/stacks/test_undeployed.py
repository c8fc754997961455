"""The connector and Airflow, which are not deployed yet: their templates keep the rules that all stacks keep."""

from collections.abc import Callable

import pytest

from tests.stacks import test_app, test_graph, test_iam, test_observability, test_schemas
from tests.stacks.conftest import Assembly, Compose
from tests.stacks.test_rules import lint_errors

RULES = [
    test_app.test_stacks_are_described_for_people,
    test_app.test_stacks_tags_say_product_environment_and_subject,
    test_app.test_stacks_find_what_they_refer_to,
    test_app.test_stacks_keep_what_is_precious,
    test_app.test_stacks_names_fit,
    test_app.test_stacks_use_no_function_that_cdk_brings_along,
    test_app.test_stacks_functions_are_alike,
    test_app.test_stacks_functions_wait_for_their_rights,
    test_app.test_stacks_custom_resources_are_answered_in_time_by_functions_of_ours,
    test_app.test_stacks_hold_no_secret_but_the_one_of_the_document,
    test_graph.test_graph_has_no_edge_but_the_allowed,
    test_graph.test_graph_is_in_the_order_of_deployment,
    test_graph.test_graph_uses_no_exports,
    test_graph.test_graph_has_no_cycle_within_a_stack,
    test_iam.test_iam_roles_may_what_the_list_says_and_no_more,
    test_iam.test_iam_names_actions_one_by_one,
    test_iam.test_iam_names_resources_wherever_aws_knows_them,
    test_iam.test_iam_lets_nobody_give_rights_or_take_away_what_keeps_the_lake,
    test_iam.test_iam_writes_to_bronze_are_the_landers_and_the_erasers,
    test_iam.test_iam_uses_the_lakes_key_through_s3_alone,
    test_iam.test_iam_keys_are_for_roles_of_the_account_and_for_services_that_must,
    test_iam.test_iam_roles_stay_within_the_boundary,
    test_iam.test_iam_roles_hold_no_policy_of_aws,
    test_iam.test_iam_has_no_users_and_says_what_each_role_is_for,
    test_iam.test_iam_roles_may_something,
    test_iam.test_iam_statements_of_a_role_have_names_of_their_own,
    test_iam.test_iam_roles_are_assumed_by_one_service_or_by_people_of_the_account,
    test_observability.test_logs_are_kept_as_long_as_the_environment_says,
    test_schemas.test_schemas_of_all_resources_are_kept,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("test_"))
def test_undeployed_stacks_keep(
    rule: Callable[[Compose, str], None], undeployed: Callable[[str], Assembly], environment: str
) -> None:
    templates = undeployed(environment).templates
    assert {"connect", "orchestration"} <= set(templates)
    rule(lambda _environment: templates, environment)


def test_undeployed_templates_have_no_error_that_cfn_lint_knows(
    undeployed: Callable[[str], Assembly], environment: str
) -> None:
    """Findings of cdk-nag fail the synthesis of the fixture itself."""
    files = undeployed(environment).files
    assert lint_errors([files["connect"], files["orchestration"]]) == []
