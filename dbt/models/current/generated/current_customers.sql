{{ config(materialized='increment', unit='customer_id') }}

{{ current_versions('customers') }}
