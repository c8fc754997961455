{% if adds() -%}
select seller_id as unit from {{ changed('sellers') }} as sellers

union

select sellers.seller_id as unit
from {{ ref('stg_sellers') }} as sellers
inner join {{ changed_zips() }} as zips
    on sellers.seller_zip_code_prefix = zips.zip_code_prefix

union

-- The unknown member is made anew each time.
select {{ unknown_key() }} as unit
{%- else -%}
{{ no_unit() }}
{%- endif %}
