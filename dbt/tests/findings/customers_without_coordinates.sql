select customers.customer_id, customers.customer_zip_code_prefix
from {{ ref('stg_customers') }} as customers
left join {{ ref('int_zip_coordinates') }} as zips
    on customers.customer_zip_code_prefix = zips.zip_code_prefix
where zips.zip_code_prefix is null
