{{ newest_versions('products') }}
