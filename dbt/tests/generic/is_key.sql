{#- The columns together identify each row: no copies and no nulls. One test, as each costs dbt 40 ms. -#}
{% test is_key(model, columns) %}
select {{ columns | join(', ') }}, count(*) as copies
from {{ rows_to_test(model) }}
group by {{ columns | join(', ') }}
having count(*) > 1 or {{ columns | join(' is null or ') }} is null
{% endtest %}
