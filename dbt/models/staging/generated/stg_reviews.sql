{{ newest_versions('reviews') }}
