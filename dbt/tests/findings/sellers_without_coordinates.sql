select sellers.seller_id, sellers.seller_zip_code_prefix
from {{ ref('stg_sellers') }} as sellers
left join {{ ref('int_zip_coordinates') }} as zips
    on sellers.seller_zip_code_prefix = zips.zip_code_prefix
where zips.zip_code_prefix is null
