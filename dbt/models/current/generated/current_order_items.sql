{{ config(materialized='increment', unit='order_id', entity='order_items') }}

{{ current_versions('order_items') }}
