with totals as (
    select
        segment,
        {{ count_if('customer_key <> ' ~ unknown_key()) }} as customers,
        cast(sum(order_count) as bigint) as orders,
        {{ money_sum('revenue') }} as revenue,
        avg(cast(recency_days as double)) as recency_days
    from {{ ref('dim_customer') }}
    group by segment
),

overall as (
    select
        sum(customers) as customers,
        sum(revenue) as revenue
    from totals
)

select
    totals.segment,
    totals.customers,
    totals.orders,
    totals.revenue,
    {{ ratio('totals.customers', 'overall.customers') }} as customer_share,
    {{ ratio('totals.revenue', 'overall.revenue') }} as revenue_share,
    round(totals.recency_days, 1) as average_recency_days,
    {{ ratio('totals.orders', 'totals.customers', 3) }} as average_orders,
    {{ ratio('totals.revenue', 'totals.customers', 2) }} as average_revenue
from totals
cross join overall
-- The unknown member stands for no person; it shows only when something was sold to it.
where totals.segment <> {{ unknown_key() }} or totals.orders > 0 or totals.revenue > 0
