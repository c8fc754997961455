{{ config(materialized='increment', unit='customer_key', touched='touched_persons') }}

with bought as (
    select
        customer_key,
        count(*) as order_count,
        min(order_purchase_timestamp) as first_purchase_at,
        max(order_purchase_timestamp) as last_purchase_at
    from {{ ref('int_orders') }}
    where {{ is_touched('customer_key', ref('touched_persons')) }}
    group by customer_key
),

spent as (
    select
        customer_key,
        count(*) as item_count,
        {{ money_sum('price') }} as revenue
    from {{ ref('fact_sales') }}
    where {{ is_touched('customer_key', ref('touched_persons')) }}
    group by customer_key
),

-- Items without an order count for the unknown person, who then has no order.
persons as (
    select customer_key from bought
    union
    select customer_key from spent
)

select
    persons.customer_key,
    coalesce(bought.order_count, 0) as order_count,
    coalesce(spent.item_count, 0) as item_count,
    cast(coalesce(spent.revenue, 0) as decimal(18, 2)) as revenue,
    bought.first_purchase_at,
    bought.last_purchase_at
from persons
left join bought
    on persons.customer_key = bought.customer_key
left join spent
    on persons.customer_key = spent.customer_key
