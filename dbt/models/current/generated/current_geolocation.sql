{{ config(materialized='increment', unit='pos_log') }}

{{ current_versions('geolocation') }}
