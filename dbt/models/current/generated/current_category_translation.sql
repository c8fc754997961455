{{ config(materialized='increment', unit='product_category_name', entity='category_translation') }}

{{ current_versions('category_translation') }}
