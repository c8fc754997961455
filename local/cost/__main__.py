"""`python -m local.cost dev`: what `make cost ENV=dev` prints, from what `make synth ENV=dev` wrote."""

import argparse
import sys
from pathlib import Path

from lakehouse.errors import NexusError
from local.cost.page import make_bill, to_text
from local.cost.prices import FILE, PriceList
from local.templates import SYNTHESIZED, read_settings, read_templates
from stacks.settings import ENVIRONMENTS


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0; 1 when a resource is in no bill; 3 when something is missing, with what to do."""
    parser = argparse.ArgumentParser(prog="python -m local.cost", description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("--templates", type=Path, default=SYNTHESIZED, help="folder of the synthesized app")
    parser.add_argument("--prices", type=Path, default=FILE, help="the price file")
    given = parser.parse_args(arguments)
    try:
        settings = read_settings(given.environment)
        prices = PriceList.load(given.prices)
        bill = make_bill(read_templates(given.environment, given.templates), settings, prices)
    except NexusError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stdout.write(to_text(bill, settings, prices))
    return 1 if bill.unknown else 0


if __name__ == "__main__":
    sys.exit(main())
