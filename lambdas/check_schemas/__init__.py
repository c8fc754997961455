"""Looks, while a deployment runs, whether the schema registry made every version of it available."""
