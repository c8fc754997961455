{#- Key in dim_date: year, month and day as one whole number; 0, the unknown day, for null. -#}
{%- macro date_key(moment) -%}
coalesce(cast(
    extract(year from {{ moment }}) * 10000 + extract(month from {{ moment }}) * 100 + extract(day from {{ moment }})
as integer), 0)
{%- endmacro -%}

{#- Month as text, such as 2018-03: facts are partitioned by it, and a partition's 03 must not be read as 3. -#}
{%- macro event_month(moment) -%}
coalesce(substr(cast(cast({{ moment }} as date) as varchar), 1, 7), {{ unknown_key() }})
{%- endmacro -%}

{#- Days from one moment to another, with fractions; whole seconds, since engines count parts of them differently. -#}
{%- macro days_between(first, last) -%}
cast(date_diff('second', date_trunc('second', {{ first }}), date_trunc('second', {{ last }})) as double) / 86400
{%- endmacro -%}
