{{ config(materialized='increment', unit='order_id', touched='touched_orders', meta={'partition': 'event_month'}) }}

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
from {{ ref('stg_payments') }} as payments
left join {{ ref('int_orders') }} as orders
    on payments.order_id = orders.order_id
where {{ is_touched('payments.order_id', ref('touched_orders')) }}
