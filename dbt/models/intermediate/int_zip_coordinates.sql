{{ config(materialized='increment', unit='zip_code_prefix', touched='touched_zips') }}

select
    geolocation_zip_code_prefix as zip_code_prefix,
    {{ exact_average('geolocation_lat') }} as latitude,
    {{ exact_average('geolocation_lng') }} as longitude
from {{ ref('stg_geolocation') }}
where geolocation_lat is not null and geolocation_lng is not null
    and {{ is_touched('geolocation_zip_code_prefix', ref('touched_zips')) }}
group by geolocation_zip_code_prefix
