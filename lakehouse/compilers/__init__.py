"""Compilers from a contract to each form that a hop, an engine or a service reads. Pure: text in, text out."""
