{{ config(materialized='increment', unit='review_id') }}

{{ current_versions('reviews') }}
