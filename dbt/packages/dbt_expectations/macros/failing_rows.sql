{#- Rows of which it is known that they break the rule; whole rows, so that they can be looked at. -#}
{%- macro failing_rows(model, holds, row_condition=None) -%}
select *
from {{ model }}
where not ({{ holds }})
    {%- if row_condition %}
    and ({{ row_condition }})
    {%- endif %}
{%- endmacro -%}

{#- The values of a set as SQL writes them. -#}
{%- macro listed(value_set, quote_values) -%}
    {%- for value in value_set -%}
        {%- if quote_values -%}
            '{{ value | string | replace("'", "''") }}'
        {%- else -%}
            {{ value }}
        {%- endif -%}
        {{- ', ' if not loop.last -}}
    {%- endfor -%}
{%- endmacro -%}

{#- Both bounds that are given, as a condition. -#}
{%- macro within(expression, min_value, max_value, strictly) -%}
    {%- set or_equal = '' if strictly else '=' -%}
    {%- set parts = [] -%}
    {%- if min_value is not none -%}
        {%- do parts.append(expression ~ ' >' ~ or_equal ~ ' ' ~ min_value) -%}
    {%- endif -%}
    {%- if max_value is not none -%}
        {%- do parts.append(expression ~ ' <' ~ or_equal ~ ' ' ~ max_value) -%}
    {%- endif -%}
    {%- if not parts -%}
        {{- exceptions.raise_compiler_error('Neither min_value nor max_value is given: give at least one bound.') -}}
    {%- endif -%}
    {{- parts | join(' and ') -}}
{%- endmacro -%}
