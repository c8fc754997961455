{{ config(materialized='increment', unit='order_id') }}

{{ current_versions('orders') }}
