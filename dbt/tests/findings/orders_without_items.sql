select order_id
from {{ ref('int_order_totals') }}
where item_count = 0
