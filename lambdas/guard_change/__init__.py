"""Refuses deployments that AWS would accept and then fail halfway: things that change in too many ways at once."""
