{{ config(materialized='increment', unit='order_id', entity='orders') }}

{{ current_versions('orders') }}
