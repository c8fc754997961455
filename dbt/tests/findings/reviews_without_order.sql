select facts.order_id
from {{ ref('fact_reviews') }} as facts
left join {{ ref('stg_orders') }} as orders
    on facts.order_id = orders.order_id
where orders.order_id is null
