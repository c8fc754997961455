{{ live_rows('order_items') }}
