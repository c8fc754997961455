{{ config(materialized='increment', unit='product_id') }}

{{ current_versions('products') }}
