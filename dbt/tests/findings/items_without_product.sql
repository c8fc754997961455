select order_id, order_item_id, product_id
from {{ ref('fact_sales') }}
where product_key = {{ unknown_key() }}
