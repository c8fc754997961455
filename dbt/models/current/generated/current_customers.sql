{{ config(materialized='increment', unit='customer_id', entity='customers') }}

{{ current_versions('customers') }}
