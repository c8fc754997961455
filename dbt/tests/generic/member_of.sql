{#- Every row points at a member of the dimension, be it the unknown one; null points nowhere and fails. -#}
{% test member_of(model, column_name, dimension, key) %}
select facts.{{ column_name }}
from {{ rows_to_test(model) }} as facts
left join {{ dimension }} as members
    on facts.{{ column_name }} = members.{{ key }}
where members.{{ key }} is null
{% endtest %}
