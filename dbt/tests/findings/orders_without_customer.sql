select order_id, customer_id
from {{ ref('int_orders') }}
where customer_key = {{ unknown_key() }}
