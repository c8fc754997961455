select order_id, price + freight_value as charged, payment_value as paid
from {{ ref('int_order_totals') }}
where item_count > 0 and payment_count > 0 and abs(price + freight_value - payment_value) > 0.01
