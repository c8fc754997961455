{{ config(materialized='increment', unit='product_category_name') }}

{{ current_versions('category_translation') }}
