{{ newest_versions('payments') }}
