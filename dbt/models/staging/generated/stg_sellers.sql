{{ live_rows('sellers') }}
