"""The command `nexus` before its imports, which take a second: an interrupt in it ends like any other."""

import sys


def main() -> int:
    """Runs the command line; its exit code."""
    try:
        from local.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("Interrupted. Nothing was begun.", file=sys.stderr)
        return 130
