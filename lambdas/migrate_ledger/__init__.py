"""Brings the ledger's database to this version while it is deployed: tables, then who may do what with them."""
