select products.product_id, products.product_category_name
from {{ ref('stg_products') }} as products
left join {{ ref('stg_category_translation') }} as translation
    on products.product_category_name = translation.product_category_name
where products.product_category_name is not null and translation.product_category_name is null
