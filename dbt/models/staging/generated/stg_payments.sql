{{ live_rows('payments') }}
