-- Whatever joins to something that changed. Also orders that have not arrived, as items and payments name them.
{% if adds() -%}
with touched_customers as (
    select customer_id from {{ changed('customers') }} as customers

    union

    select customers.customer_id
    from {{ ref('stg_customers') }} as customers
    inner join {{ changed_zips() }} as zips
        on customers.customer_zip_code_prefix = zips.zip_code_prefix
)

select order_id as unit from {{ changed('orders') }} as orders

union

select order_id as unit from {{ changed('order_items') }} as items

union

select order_id as unit from {{ changed('payments') }} as payments

union

select order_id as unit from {{ changed('reviews') }} as reviews where order_id is not null

union

select orders.order_id as unit
from {{ ref('stg_orders') }} as orders
where orders.customer_id in (select customer_id from touched_customers)

union

select items.order_id as unit
from {{ ref('stg_order_items') }} as items
where items.product_id in (select product_id from {{ changed('products') }} as products)

union

select items.order_id as unit
from {{ ref('stg_order_items') }} as items
where items.seller_id in (select unit from {{ ref('touched_sellers') }})
{%- else -%}
{{ no_unit() }}
{%- endif %}
