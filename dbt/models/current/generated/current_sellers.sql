{{ config(materialized='increment', unit='seller_id') }}

{{ current_versions('sellers') }}
