{{ config(materialized='increment', unit='order_id', touched='touched_orders', meta={'partition': 'event_month'}) }}

with items as (
    select *
    from {{ ref('stg_order_items') }}
    where {{ is_touched('order_id', ref('touched_orders')) }}
),

orders as (
    select *
    from {{ ref('int_orders') }}
    where {{ is_among('order_id', 'select order_id from items') }}
)

select
    items.order_id,
    items.order_item_id,
    coalesce(orders.customer_key, {{ unknown_key() }}) as customer_key,
    coalesce(products.product_id, {{ unknown_key() }}) as product_key,
    coalesce(sellers.seller_id, {{ unknown_key() }}) as seller_key,
    coalesce(orders.purchase_date_key, 0) as purchase_date_key,
    coalesce(orders.event_month, {{ unknown_key() }}) as event_month,
    items.product_id,
    items.seller_id,
    coalesce(orders.order_status, {{ unknown_key() }}) as order_status,
    coalesce(orders.customer_state, {{ unknown_key() }}) as customer_state,
    coalesce(sellers.seller_state, {{ unknown_key() }}) as seller_state,
    items.price,
    items.freight_value,
    items.price + items.freight_value as item_total,
    items.shipping_limit_date,
    orders.order_purchase_timestamp,
    orders.order_approved_at,
    orders.order_delivered_carrier_date,
    orders.order_delivered_customer_date,
    orders.order_estimated_delivery_date,
    round(orders.delivery_days, 4) as delivery_days,
    round(orders.days_late, 4) as days_late,
    orders.is_late,
    round({{ kilometres_between(
        'seller_zips.latitude', 'seller_zips.longitude', 'customer_zips.latitude', 'customer_zips.longitude'
    ) }}, 1) as distance_km
from items
left join orders
    on items.order_id = orders.order_id
left join {{ ref('stg_products') }} as products
    on items.product_id = products.product_id
left join {{ ref('stg_sellers') }} as sellers
    on items.seller_id = sellers.seller_id
left join {{ ref('int_zip_coordinates') }} as seller_zips
    on sellers.seller_zip_code_prefix = seller_zips.zip_code_prefix
left join {{ ref('int_zip_coordinates') }} as customer_zips
    on orders.customer_zip_code_prefix = customer_zips.zip_code_prefix
