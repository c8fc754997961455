{#- Holds for every row; a row for which it is null passes. -#}
{% test expression_is_true(model, expression, column_name=None) %}
select *
from {{ model }}
where not ({{ column_name or '' }} {{ expression }})
{% endtest %}
