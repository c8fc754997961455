-- Every day of every year in which something happened: one event with a date centuries away adds a year, not centuries.
with years as (
    select cast(date_trunc('year', cast(min(order_purchase_timestamp) as date)) as date) as first_day
    from {{ ref('stg_orders') }}
    where order_purchase_timestamp is not null
    group by extract(year from order_purchase_timestamp)

    union

    select cast(date_trunc('year', cast(min(review_creation_date) as date)) as date) as first_day
    from {{ ref('stg_reviews') }}
    where review_creation_date is not null
    group by extract(year from review_creation_date)
),

digits as (
    {% for digit in range(10) -%}
    select {{ digit }} as digit{{ ' union all' if not loop.last }}
    {% endfor %}
),

offsets as (
    select hundreds.digit * 100 + tens.digit * 10 + ones.digit as days
    from digits as hundreds
    cross join digits as tens
    cross join digits as ones
    where hundreds.digit * 100 + tens.digit * 10 + ones.digit < 366
),

calendar as (
    select
        years.first_day,
        cast({{ dbt.dateadd('day', 'offsets.days', 'years.first_day') }} as date) as date_day
    from years
    cross join offsets
),

days as (
    select
        date_day,
        -- 1 January of year 1 was a Monday.
        cast(mod(date_diff('day', cast('0001-01-01' as date), date_day), 7) + 1 as integer) as iso_weekday
    from calendar
    where extract(year from date_day) = extract(year from first_day)
)

select
    {{ date_key('date_day') }} as date_key,
    date_day,
    {{ event_month('date_day') }} as event_month,
    cast(extract(year from date_day) as integer) as calendar_year,
    cast(extract(quarter from date_day) as integer) as calendar_quarter,
    cast(extract(month from date_day) as integer) as calendar_month,
    cast(extract(day from date_day) as integer) as day_of_month,
    iso_weekday,
    iso_weekday >= 6 as is_weekend
from days

union all

select
    0 as date_key,
    cast(null as date) as date_day,
    {{ unknown_key() }} as event_month,
    cast(null as integer) as calendar_year,
    cast(null as integer) as calendar_quarter,
    cast(null as integer) as calendar_month,
    cast(null as integer) as day_of_month,
    cast(null as integer) as iso_weekday,
    cast(null as boolean) as is_weekend
