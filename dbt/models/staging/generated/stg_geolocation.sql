{{ newest_versions('geolocation') }}
