{% if adds() -%}
select product_id as unit from {{ changed('products') }} as products

union

select products.product_id as unit
from {{ ref('stg_products') }} as products
inner join {{ changed('category_translation') }} as translation
    on products.product_category_name = translation.product_category_name

union

-- The unknown member is made anew each time.
select {{ unknown_key() }} as unit
{%- else -%}
{{ no_unit() }}
{%- endif %}
