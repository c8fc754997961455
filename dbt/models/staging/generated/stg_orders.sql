{{ live_rows('orders') }}
