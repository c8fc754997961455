"""Writes docs/generated/stacks.md from the synthesized application: what there is, and who may do what."""
