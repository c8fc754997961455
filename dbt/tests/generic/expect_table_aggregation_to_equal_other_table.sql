{#- One aggregate over a table equals one over another, exactly; both null counts as equal. Over all history. -#}
{% test expect_table_aggregation_to_equal_other_table(
    model, expression, compare_model, compare_expression=None, row_condition=None, compare_row_condition=None
) %}
{{- config(tags=['history']) -}}
with ours as (
    select {{ expression }} as amount from {{ model }} where {{ row_condition or 'true' }}
),

theirs as (
    select {{ compare_expression or expression }} as amount
    from {{ compare_model }}
    where {{ compare_row_condition or 'true' }}
)

select ours.amount as amount, theirs.amount as compared_amount
from ours
cross join theirs
where ours.amount is distinct from theirs.amount
{% endtest %}
