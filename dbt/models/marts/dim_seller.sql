{{ config(materialized='increment', unit='seller_key', touched='touched_sellers') }}

select
    sellers.seller_id as seller_key,
    sellers.seller_zip_code_prefix,
    sellers.seller_city,
    coalesce(sellers.seller_state, {{ unknown_key() }}) as seller_state,
    zips.latitude,
    zips.longitude
from {{ ref('stg_sellers') }} as sellers
left join {{ ref('int_zip_coordinates') }} as zips
    on sellers.seller_zip_code_prefix = zips.zip_code_prefix
where {{ is_touched('sellers.seller_id', ref('touched_sellers')) }}

union all

select
    {{ unknown_key() }} as seller_key,
    cast(null as varchar) as seller_zip_code_prefix,
    cast(null as varchar) as seller_city,
    {{ unknown_key() }} as seller_state,
    cast(null as double) as latitude,
    cast(null as double) as longitude
