{#- In place of dbt's own: of an increment only the rows it has made. -#}
{% test not_null(model, column_name) %}
select {{ column_name }}
from {{ rows_to_test(model) }}
where {{ column_name }} is null
{% endtest %}
