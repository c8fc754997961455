"""`python -m local` is the command `nexus`."""

from local.cli import main

raise SystemExit(main())
