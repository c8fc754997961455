{{ live_rows('category_translation') }}
