select
    geolocation_zip_code_prefix as zip_code_prefix,
    {{ exact_average('geolocation_lat') }} as latitude,
    {{ exact_average('geolocation_lng') }} as longitude
from {{ ref('stg_geolocation') }}
where geolocation_lat is not null and geolocation_lng is not null
group by geolocation_zip_code_prefix
