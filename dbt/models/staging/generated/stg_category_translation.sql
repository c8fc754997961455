{{ newest_versions('category_translation') }}
