"""`make rehearse ENV=dev`: python -m local.rehearsal dev. Exit code 1 when something failed."""

import argparse
import signal
import sys
from types import FrameType

from lakehouse.errors import NexusError
from local.rehearsal.findings import Finding, to_text
from local.rehearsal.rehearsal import rehearse
from stacks.settings import ENVIRONMENTS

_TERMINATED = 128 + signal.SIGTERM


def _tell(finding: Finding) -> None:
    """A line on the way, for whoever waits."""
    if finding.seconds is not None:
        print(f"{finding.seconds:6.1f} s  {finding.subject}: {finding.state}", file=sys.stderr, flush=True)


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(_TERMINATED)  # what was started is stopped on the way out


def main() -> int:
    """Prints one table."""
    parser = argparse.ArgumentParser(prog="python -m local.rehearsal", description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    environment = parser.parse_args().environment
    signal.signal(signal.SIGTERM, _terminate)
    try:
        findings, seconds = rehearse(environment, _tell)
    except NexusError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; everything is stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    print(to_text(f"rehearsal of {environment}", findings, seconds))
    return int(any(finding.state == "failed" for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
