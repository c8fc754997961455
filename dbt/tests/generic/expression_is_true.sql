{#- Holds for every row; an expression that is null does not hold. -#}
{% test expression_is_true(model, expression, column_name=None) %}
select *
from {{ rows_to_test(model) }}
where not coalesce(({{ column_name or '' }} {{ expression }}), false)
{% endtest %}
