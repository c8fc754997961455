{{ config(tags=['history']) }}

with members as (
    select
        customer_unique_id as customer_key,
        customer_zip_code_prefix,
        customer_city,
        customer_state
    from {{ ref('int_persons') }}

    union all

    select
        {{ unknown_key() }} as customer_key,
        cast(null as varchar) as customer_zip_code_prefix,
        cast(null as varchar) as customer_city,
        {{ unknown_key() }} as customer_state
)

select
    members.customer_key,
    members.customer_zip_code_prefix,
    members.customer_city,
    coalesce(members.customer_state, {{ unknown_key() }}) as customer_state,
    zips.latitude,
    zips.longitude,
    coalesce(worth.order_count, 0) as order_count,
    coalesce(worth.item_count, 0) as item_count,
    cast(coalesce(worth.revenue, 0) as decimal(18, 2)) as revenue,
    worth.first_purchase_at,
    worth.last_purchase_at,
    worth.recency_days,
    worth.recency_score,
    worth.frequency_score,
    worth.revenue_score,
    coalesce(worth.segment, 'no orders') as segment
from members
left join {{ ref('int_customer_value') }} as worth
    on members.customer_key = worth.customer_key
left join {{ ref('int_zip_coordinates') }} as zips
    on members.customer_zip_code_prefix = zips.zip_code_prefix
