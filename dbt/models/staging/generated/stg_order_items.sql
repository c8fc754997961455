{{ newest_versions('order_items') }}
