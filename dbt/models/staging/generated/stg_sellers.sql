{{ newest_versions('sellers') }}
