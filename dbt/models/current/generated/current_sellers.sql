{{ config(materialized='increment', unit='seller_id', entity='sellers') }}

{{ current_versions('sellers') }}
