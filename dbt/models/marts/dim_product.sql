{{ config(materialized='increment', unit='product_key', touched='touched_products') }}

select
    products.product_id as product_key,
    coalesce(products.product_category_name, {{ unknown_key() }}) as product_category_name,
    coalesce(
        translation.product_category_name_english, products.product_category_name, {{ unknown_key() }}
    ) as product_category_name_english,
    products.product_name_lenght,
    products.product_description_lenght,
    products.product_photos_qty,
    products.product_weight_g,
    products.product_length_cm,
    products.product_height_cm,
    products.product_width_cm,
    -- Doubles: three whole numbers of any size would not fit another.
    cast(products.product_length_cm as double)
    * cast(products.product_height_cm as double)
    * cast(products.product_width_cm as double) as volume_cm3
from {{ ref('stg_products') }} as products
left join {{ ref('stg_category_translation') }} as translation
    on products.product_category_name = translation.product_category_name
where {{ is_touched('products.product_id', ref('touched_products')) }}

union all

select
    {{ unknown_key() }} as product_key,
    {{ unknown_key() }} as product_category_name,
    {{ unknown_key() }} as product_category_name_english,
    cast(null as bigint) as product_name_lenght,
    cast(null as bigint) as product_description_lenght,
    cast(null as bigint) as product_photos_qty,
    cast(null as bigint) as product_weight_g,
    cast(null as bigint) as product_length_cm,
    cast(null as bigint) as product_height_cm,
    cast(null as bigint) as product_width_cm,
    cast(null as double) as volume_cm3
