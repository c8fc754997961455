{{ config(materialized='increment', unit='customer_unique_id', touched='touched_persons') }}

-- A person has one customer_id per order: the address is that of the newest order, or of any when none has arrived.
with customers as (
    select *
    from {{ ref('stg_customers') }}
    where customer_unique_id is not null and {{ is_touched('customer_unique_id', ref('touched_persons')) }}
),

orders as (
    select customer_id, order_purchase_timestamp
    from {{ ref('stg_orders') }}
    where {{ is_among('customer_id', 'select customer_id from customers') }}
),

ranked as (
    select
        customers.customer_unique_id,
        customers.customer_zip_code_prefix,
        customers.customer_city,
        customers.customer_state,
        row_number() over (
            partition by customers.customer_unique_id
            order by orders.order_purchase_timestamp desc nulls last, customers.customer_id desc
        ) as address_rank
    from customers
    left join orders
        on customers.customer_id = orders.customer_id
)

select
    customer_unique_id,
    customer_zip_code_prefix,
    customer_city,
    customer_state
from ranked
where address_rank = 1
