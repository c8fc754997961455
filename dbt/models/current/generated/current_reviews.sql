{{ config(materialized='increment', unit='review_id', entity='reviews') }}

{{ current_versions('reviews') }}
