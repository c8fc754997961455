{% if adds() -%}
select customer_unique_id as unit from {{ changed('customers') }} as customers where customer_unique_id is not null

union

select customer_key as unit from {{ rows_before(ref('int_orders')) }}

union

select customer_key as unit from {{ rows_after(ref('int_orders')) }}

union

-- Items whose order has not arrived count for the unknown person.
select {{ unknown_key() }} as unit
{%- else -%}
{{ no_unit() }}
{%- endif %}
