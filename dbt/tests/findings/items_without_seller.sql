select order_id, order_item_id, seller_id
from {{ ref('fact_sales') }}
where seller_key = {{ unknown_key() }}
