{{ live_rows('customers') }}
