"""Judges rows of Quarantine once more, after a contract or the rows were mended, and moves those that pass."""
