{{ config(materialized='increment', unit='order_id', touched='touched_orders', meta={'partition': 'event_month'}) }}

with reviews as (
    select *
    from {{ ref('stg_reviews') }}
    where {{ is_touched('order_id', ref('touched_orders')) }}
),

orders as (
    select *
    from {{ ref('int_orders') }}
    where {{ is_among('order_id', 'select order_id from reviews') }}
)

select
    reviews.review_id,
    reviews.order_id,
    coalesce(orders.customer_key, {{ unknown_key() }}) as customer_key,
    {{ date_key('reviews.review_creation_date') }} as creation_date_key,
    {{ event_month('reviews.review_creation_date') }} as event_month,
    coalesce(orders.order_status, {{ unknown_key() }}) as order_status,
    reviews.review_score,
    reviews.review_comment_message is not null as has_message,
    reviews.review_creation_date,
    reviews.review_answer_timestamp,
    round({{ days_between('reviews.review_creation_date', 'reviews.review_answer_timestamp') }}, 4) as answer_days
from reviews
left join orders
    on reviews.order_id = orders.order_id
