-- Scores go from 1 (low) to 5 (high). Recency and revenue are ranked among all persons, equal values alike; most persons
-- buy once, so frequency is the number of orders itself.
with bought as (
    select
        customer_key,
        count(*) as order_count,
        min(order_purchase_timestamp) as first_purchase_at,
        max(order_purchase_timestamp) as last_purchase_at
    from {{ ref('int_orders') }}
    group by customer_key
),

spent as (
    select
        customer_key,
        count(*) as item_count,
        {{ money_sum('price') }} as revenue
    from {{ ref('fact_sales') }}
    group by customer_key
),

newest as (
    select max(order_purchase_timestamp) as purchase_at
    from {{ ref('int_orders') }}
),

ranked as (
    select
        bought.customer_key,
        bought.order_count,
        bought.first_purchase_at,
        bought.last_purchase_at,
        coalesce(spent.item_count, 0) as item_count,
        coalesce(spent.revenue, 0) as revenue,
        date_diff('day', cast(bought.last_purchase_at as date), cast(newest.purchase_at as date)) as recency_days,
        cume_dist() over (order by bought.last_purchase_at nulls first) as recency_rank,
        cume_dist() over (order by coalesce(spent.revenue, 0)) as revenue_rank
    from bought
    left join spent
        on bought.customer_key = spent.customer_key
    cross join newest
    where bought.customer_key <> {{ unknown_key() }}
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
    coalesce(max(bought.order_count), 0) as order_count,
    coalesce(max(spent.item_count), 0) as item_count,
    cast(coalesce(max(spent.revenue), 0) as decimal(18, 2)) as revenue,
    max(bought.first_purchase_at) as first_purchase_at,
    max(bought.last_purchase_at) as last_purchase_at,
    cast(null as bigint) as recency_days,
    cast(null as integer) as recency_score,
    cast(null as integer) as frequency_score,
    cast(null as integer) as revenue_score,
    {{ unknown_key() }} as segment
from (select {{ unknown_key() }} as customer_key) as member
left join bought
    on member.customer_key = bought.customer_key
left join spent
    on member.customer_key = spent.customer_key
