with ordered as (
    select
        customer_state,
        count(*) as orders,
        {{ count_if('order_delivered_customer_date is not null') }} as delivered_orders,
        {{ count_if('is_late') }} as late_orders,
        {{ exact_average('delivery_days') }} as delivery_days,
        {{ exact_average('case when is_late then days_late end') }} as days_late
    from {{ ref('int_orders') }}
    group by customer_state
),

sold as (
    select
        customer_state,
        count(*) as items,
        {{ money_sum('price') }} as revenue,
        {{ money_sum('freight_value') }} as freight_value,
        {{ count_if('customer_state = seller_state') }} as same_state_items,
        {{ exact_average('distance_km') }} as distance_km
    from {{ ref('fact_sales') }}
    group by customer_state
),

reviewed as (
    select
        orders.customer_state,
        avg(cast(reviews.review_score as double)) as review_score
    from {{ ref('stg_reviews') }} as reviews
    inner join {{ ref('int_orders') }} as orders
        on reviews.order_id = orders.order_id
    group by orders.customer_state
),

states as (
    select customer_state from ordered
    union
    select customer_state from sold
)

select
    states.customer_state,
    coalesce(ordered.orders, 0) as orders,
    coalesce(sold.items, 0) as items,
    cast(coalesce(sold.revenue, 0) as decimal(18, 2)) as revenue,
    cast(coalesce(sold.freight_value, 0) as decimal(18, 2)) as freight_value,
    {{ ratio('sold.freight_value', 'sold.revenue') }} as freight_share,
    coalesce(ordered.delivered_orders, 0) as delivered_orders,
    coalesce(ordered.late_orders, 0) as late_orders,
    {{ ratio('ordered.late_orders', 'ordered.delivered_orders') }} as late_share,
    round(ordered.delivery_days, 2) as average_delivery_days,
    round(ordered.days_late, 2) as average_days_late,
    round(sold.distance_km, 1) as average_distance_km,
    {{ ratio('sold.same_state_items', 'sold.items') }} as same_state_share,
    round(reviewed.review_score, 2) as average_review_score
from states
left join ordered
    on states.customer_state = ordered.customer_state
left join sold
    on states.customer_state = sold.customer_state
left join reviewed
    on states.customer_state = reviewed.customer_state
