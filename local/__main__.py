"""`python -m local` is the command `nexus`."""

from local.entry import main

raise SystemExit(main())
