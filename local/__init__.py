"""Everything one machine needs to run the whole path: embedded AWS, broker and ledger, and what starts them."""
