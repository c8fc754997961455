{#- Null is in no set, and fails. -#}
{% test expect_column_values_to_be_in_set(model, column_name, value_set, quote_values=True, row_condition=None) %}
{%- set values = dbt_expectations.listed(value_set, quote_values) -%}
{%- set holds = 'coalesce(' ~ column_name ~ ' in (' ~ values ~ '), false)' -%}
{{ dbt_expectations.failing_rows(model, holds, row_condition) }}
{% endtest %}

{% test expect_column_values_to_not_be_in_set(model, column_name, value_set, quote_values=True, row_condition=None) %}
{%- set values = dbt_expectations.listed(value_set, quote_values) -%}
{{ dbt_expectations.failing_rows(model, column_name ~ ' not in (' ~ values ~ ')', row_condition) }}
{% endtest %}

{% test expect_column_values_to_be_between(
    model, column_name, min_value=None, max_value=None, row_condition=None, strictly=False
) %}
{%- set within = dbt_expectations.within(column_name, min_value, max_value, strictly) -%}
{{ dbt_expectations.failing_rows(model, within, row_condition) }}
{% endtest %}

{% test expect_column_pair_values_A_to_be_greater_than_B(
    model, column_A, column_B, or_equal=False, row_condition=None
) %}
{%- set greater = column_A ~ (' >= ' if or_equal else ' > ') ~ column_B -%}
{{ dbt_expectations.failing_rows(model, greater, row_condition) }}
{% endtest %}
