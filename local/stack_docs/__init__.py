"""Writes docs/generated/stacks.md and the totals in the README from the synthesized application."""
