with months as (
    select
        event_month,
        min(calendar_year * 12 + calendar_month) as month_number
    from {{ ref('dim_date') }}
    where date_key <> 0
    group by event_month
),

first_months as (
    select
        customer_key,
        min(event_month) as event_month
    from {{ ref('int_orders') }}
    where customer_key <> {{ unknown_key() }} and event_month <> {{ unknown_key() }}
    group by customer_key
),

new_customers as (
    select
        event_month,
        count(*) as customers
    from first_months
    group by event_month
),

ordered as (
    select
        event_month,
        count(*) as orders,
        {{ count_if("order_status = 'delivered'") }} as delivered_orders,
        {{ count_if("order_status in ('canceled', 'unavailable')") }} as lost_orders,
        count(distinct case when customer_key <> {{ unknown_key() }} then customer_key end) as customers
    from {{ ref('int_orders') }}
    group by event_month
),

sold as (
    select
        event_month,
        count(*) as items,
        {{ money_sum('price') }} as revenue,
        {{ money_sum('freight_value') }} as freight_value
    from {{ ref('fact_sales') }}
    group by event_month
),

span as (
    select
        min(event_month) as first_month,
        max(event_month) as last_month
    from ordered
    where event_month <> {{ unknown_key() }}
),

monthly as (
    select
        months.event_month,
        months.month_number,
        coalesce(ordered.orders, 0) as orders,
        coalesce(ordered.delivered_orders, 0) as delivered_orders,
        coalesce(ordered.lost_orders, 0) as lost_orders,
        coalesce(ordered.customers, 0) as customers,
        coalesce(new_customers.customers, 0) as new_customers,
        coalesce(sold.items, 0) as items,
        cast(coalesce(sold.revenue, 0) as decimal(18, 2)) as revenue,
        cast(coalesce(sold.freight_value, 0) as decimal(18, 2)) as freight_value
    from months
    cross join span
    left join ordered
        on months.event_month = ordered.event_month
    left join new_customers
        on months.event_month = new_customers.event_month
    left join sold
        on months.event_month = sold.event_month
    where months.event_month between span.first_month and span.last_month
)

select
    monthly.event_month,
    monthly.orders,
    monthly.delivered_orders,
    monthly.lost_orders,
    monthly.customers,
    monthly.new_customers,
    monthly.customers - monthly.new_customers as returning_customers,
    monthly.items,
    monthly.revenue,
    monthly.freight_value,
    {{ ratio('monthly.revenue', 'monthly.orders', 2) }} as average_order_value,
    {{ ratio('monthly.orders - before.orders', 'before.orders') }} as orders_growth,
    {{ ratio('monthly.revenue - before.revenue', 'before.revenue') }} as revenue_growth
from monthly
left join monthly as before
    on monthly.month_number = before.month_number + 1
