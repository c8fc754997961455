{{ live_rows('products') }}
