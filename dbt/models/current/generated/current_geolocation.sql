{{ config(materialized='increment', unit='pos_log', entity='geolocation') }}

{{ current_versions('geolocation') }}
