{{ newest_versions('orders') }}
