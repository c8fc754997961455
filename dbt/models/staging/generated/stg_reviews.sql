{{ live_rows('reviews') }}
