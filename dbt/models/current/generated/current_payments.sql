{{ config(materialized='increment', unit='order_id', entity='payments') }}

{{ current_versions('payments') }}
