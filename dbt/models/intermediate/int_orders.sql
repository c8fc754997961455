{{ config(materialized='increment', unit='order_id', touched='touched_orders') }}

with orders as (
    select *
    from {{ ref('stg_orders') }}
    where {{ is_touched('order_id', ref('touched_orders')) }}
),

customers as (
    select *
    from {{ ref('stg_customers') }}
    where {{ is_among('customer_id', 'select customer_id from orders') }}
)

select
    orders.order_id,
    orders.customer_id,
    coalesce(customers.customer_unique_id, {{ unknown_key() }}) as customer_key,
    customers.customer_zip_code_prefix,
    coalesce(customers.customer_state, {{ unknown_key() }}) as customer_state,
    coalesce(orders.order_status, {{ unknown_key() }}) as order_status,
    orders.order_purchase_timestamp,
    orders.order_approved_at,
    orders.order_delivered_carrier_date,
    orders.order_delivered_customer_date,
    orders.order_estimated_delivery_date,
    {{ date_key('orders.order_purchase_timestamp') }} as purchase_date_key,
    {{ event_month('orders.order_purchase_timestamp') }} as event_month,
    {{ days_between('orders.order_purchase_timestamp', 'orders.order_delivered_customer_date') }} as delivery_days,
    {{ days_between('orders.order_estimated_delivery_date', 'orders.order_delivered_customer_date') }} as days_late,
    orders.order_delivered_customer_date > orders.order_estimated_delivery_date as is_late
from orders
left join customers
    on orders.customer_id = customers.customer_id
