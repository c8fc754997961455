{{ config(materialized='increment', unit='customer_unique_id', touched='touched_persons') }}

-- A person has one customer_id per order: the address is that of the newest order, or of any when none has arrived.
with ranked as (
    select
        customers.customer_unique_id,
        customers.customer_zip_code_prefix,
        customers.customer_city,
        customers.customer_state,
        row_number() over (
            partition by customers.customer_unique_id
            order by orders.order_purchase_timestamp desc nulls last, customers.customer_id desc
        ) as address_rank
    from {{ ref('stg_customers') }} as customers
    left join {{ ref('stg_orders') }} as orders
        on customers.customer_id = orders.customer_id
    where customers.customer_unique_id is not null
        and {{ is_touched('customers.customer_unique_id', ref('touched_persons')) }}
)

select
    customer_unique_id,
    customer_zip_code_prefix,
    customer_city,
    customer_state
from ranked
where address_rank = 1
