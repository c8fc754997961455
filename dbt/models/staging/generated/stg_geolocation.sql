{{ live_rows('geolocation') }}
