"""Puts files that a deployment brought where MWAA looks for them."""
