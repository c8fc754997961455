{{ config(tags=['history']) }}

with item_totals as (
    select
        order_id,
        count(*) as item_count,
        {{ money_sum('price') }} as price,
        {{ money_sum('freight_value') }} as freight_value
    from {{ ref('stg_order_items') }}
    group by order_id
),

payment_totals as (
    select
        order_id,
        count(*) as payment_count,
        {{ money_sum('payment_value') }} as payment_value
    from {{ ref('stg_payments') }}
    group by order_id
)

select
    orders.order_id,
    coalesce(item_totals.item_count, 0) as item_count,
    coalesce(item_totals.price, 0) as price,
    coalesce(item_totals.freight_value, 0) as freight_value,
    coalesce(payment_totals.payment_count, 0) as payment_count,
    coalesce(payment_totals.payment_value, 0) as payment_value
from {{ ref('stg_orders') }} as orders
left join item_totals
    on orders.order_id = item_totals.order_id
left join payment_totals
    on orders.order_id = payment_totals.order_id
