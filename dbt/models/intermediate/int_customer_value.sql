{{ config(tags=['history']) }}

-- Scores go from 1 (low) to 5 (high). Recency and revenue are ranked among all persons, equal values alike; most persons
-- buy once, so frequency is the number of orders itself.
with newest as (
    select max(last_purchase_at) as purchase_at
    from {{ ref('int_customer_totals') }}
),

ranked as (
    select
        totals.customer_key,
        totals.order_count,
        totals.first_purchase_at,
        totals.last_purchase_at,
        totals.item_count,
        totals.revenue,
        date_diff('day', cast(totals.last_purchase_at as date), cast(newest.purchase_at as date)) as recency_days,
        cume_dist() over (order by totals.last_purchase_at nulls first) as recency_rank,
        cume_dist() over (order by totals.revenue) as revenue_rank
    from {{ ref('int_customer_totals') }} as totals
    cross join newest
    where totals.customer_key <> {{ unknown_key() }}
),

scored as (
    select
        ranked.*,
        cast(ceil(recency_rank * 5) as integer) as recency_score,
        cast(least(5, order_count) as integer) as frequency_score,
        cast(ceil(revenue_rank * 5) as integer) as revenue_score
    from ranked
)

select
    customer_key,
    order_count,
    item_count,
    revenue,
    first_purchase_at,
    last_purchase_at,
    recency_days,
    recency_score,
    frequency_score,
    revenue_score,
    case
        when frequency_score >= 2 and recency_score >= 4 then 'champions'
        when frequency_score >= 2 and recency_score >= 2 then 'loyal'
        when frequency_score >= 2 then 'at risk'
        when recency_score >= 4 and revenue_score >= 4 then 'promising'
        when recency_score >= 4 then 'new'
        when recency_score >= 2 and revenue_score >= 4 then 'needs attention'
        when recency_score >= 2 then 'about to sleep'
        else 'lost'
    end as segment
from scored

union all

-- What cannot be told apart by person.
select
    {{ unknown_key() }} as customer_key,
    coalesce(max(order_count), 0) as order_count,
    coalesce(max(item_count), 0) as item_count,
    cast(coalesce(max(revenue), 0) as decimal(18, 2)) as revenue,
    max(first_purchase_at) as first_purchase_at,
    max(last_purchase_at) as last_purchase_at,
    cast(null as bigint) as recency_days,
    cast(null as integer) as recency_score,
    cast(null as integer) as frequency_score,
    cast(null as integer) as revenue_score,
    {{ unknown_key() }} as segment
from {{ ref('int_customer_totals') }} as totals
where totals.customer_key = {{ unknown_key() }}
