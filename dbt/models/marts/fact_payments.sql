{{ config(materialized='increment', unit='order_id', touched='touched_orders', meta={'partition': 'event_month'}) }}

with payments as (
    select *
    from {{ ref('stg_payments') }}
    where {{ is_touched('order_id', ref('touched_orders')) }}
),

orders as (
    select *
    from {{ ref('int_orders') }}
    where {{ is_among('order_id', 'select order_id from payments') }}
)

select
    payments.order_id,
    payments.payment_sequential,
    coalesce(orders.customer_key, {{ unknown_key() }}) as customer_key,
    coalesce(orders.purchase_date_key, 0) as purchase_date_key,
    coalesce(orders.event_month, {{ unknown_key() }}) as event_month,
    coalesce(orders.order_status, {{ unknown_key() }}) as order_status,
    payments.payment_type,
    payments.payment_installments,
    payments.payment_value
from payments
left join orders
    on payments.order_id = orders.order_id
