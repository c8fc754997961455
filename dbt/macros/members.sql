{#- Key of the member that each dimension holds for what is not known, so that no sum over a join loses a row. -#}
{%- macro unknown_key() -%}
'unknown'
{%- endmacro -%}

{#- A share as a fraction; null when there is nothing to divide by. -#}
{%- macro ratio(part, whole, digits=4) -%}
round(cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0), {{ digits }})
{%- endmacro -%}

{#- Rows for which a condition holds. -#}
{%- macro count_if(condition) -%}
cast(coalesce(sum(case when {{ condition }} then 1 else 0 end), 0) as bigint)
{%- endmacro -%}

{#- A sum of money; 0 over no rows. -#}
{%- macro money_sum(amount) -%}
cast(coalesce(sum({{ amount }}), 0) as decimal(18, 2))
{%- endmacro -%}
