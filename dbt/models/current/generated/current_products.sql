{{ config(materialized='increment', unit='product_id', entity='products') }}

{{ current_versions('products') }}
