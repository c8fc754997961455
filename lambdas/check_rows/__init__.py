"""The check hop: a Bronze object in, its rows in Silver or Quarantine, the ledger told."""
