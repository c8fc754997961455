{#- Rows of one event are copies of each other: it was sent again, and says what it said before. -#}
{% test says_one_thing(model, column_name, columns) %}
select {{ column_name }}, count(*) as payloads
from (
    select distinct {{ ([column_name] + columns) | join(', ') }}
    from {{ model }}
) as said
group by {{ column_name }}
having count(*) > 1
{% endtest %}
