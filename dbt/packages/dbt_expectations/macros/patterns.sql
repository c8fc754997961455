{% test expect_column_values_to_match_regex(
    model, column_name, regex, row_condition=None, is_raw=False, flags=''
) %}
{%- set matches = dbt_expectations.regex_matches(column_name, regex, is_raw, flags) -%}
{{ dbt_expectations.failing_rows(model, matches, row_condition) }}
{% endtest %}

{% test expect_column_values_to_not_match_regex(
    model, column_name, regex, row_condition=None, is_raw=False, flags=''
) %}
{%- set matches = dbt_expectations.regex_matches(column_name, regex, is_raw, flags) -%}
{{ dbt_expectations.failing_rows(model, 'not ' ~ matches, row_condition) }}
{% endtest %}

{% test expect_column_values_to_match_regex_list(
    model, column_name, regex_list, match_on='any', row_condition=None, is_raw=False, flags=''
) %}
{%- set match = dbt_expectations.regexes_match(column_name, regex_list, match_on, is_raw, flags) -%}
{{ dbt_expectations.failing_rows(model, match, row_condition) }}
{% endtest %}

{#- With match_on `all` none of the patterns may match, with `any` one of them must not. -#}
{% test expect_column_values_to_not_match_regex_list(
    model, column_name, regex_list, match_on='any', row_condition=None, is_raw=False, flags=''
) %}
{%- set match = dbt_expectations.regexes_match(column_name, regex_list, match_on, is_raw, flags, negated=True) -%}
{{ dbt_expectations.failing_rows(model, match, row_condition) }}
{% endtest %}

{% test expect_column_value_lengths_to_be_between(
    model, column_name, min_value=None, max_value=None, row_condition=None, strictly=False
) %}
{%- set within = dbt_expectations.within('length(' ~ column_name ~ ')', min_value, max_value, strictly) -%}
{{ dbt_expectations.failing_rows(model, within, row_condition) }}
{% endtest %}
