"""Finds what no event announced: compares Bronze with the ledger and announces again what is not committed."""
