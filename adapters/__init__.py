"""What talks to the world: object store, schema registry, ledger, logs. Imports only the domain."""
