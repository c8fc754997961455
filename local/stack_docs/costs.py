"""The table of monthly totals in the README, between two marks."""

from collections.abc import Mapping

from lakehouse.errors import InputError
from local.cost.load import RATES
from local.cost.page import asleep, make_bill
from local.cost.prices import PriceList
from local.templates import Template
from stacks.settings import Settings

BEGIN, END = "<!-- costs: written by `make stack-docs` -->", "<!-- end of costs -->"


def with_costs(
    readme: str,
    apps: Mapping[str, Mapping[str, Template]],
    settings: Mapping[str, Settings],
    prices: PriceList,
) -> str:
    """The README with the totals of today. InputError when it has no place for them, or something is in no bill."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"README.md has no place for costs: put {BEGIN} and {END} where they belong")
    rates = [f"{rate:,}/s" if rate else "idle" for rate in RATES]
    lines = [f"| | asleep | {' | '.join(rates)} |", "|---|" + "--:|" * (len(rates) + 1)]
    for name, templates in apps.items():
        bill = make_bill(templates, settings[name], prices)
        if bill.unknown:
            raise InputError(f"in no bill: {', '.join(sorted(bill.unknown))}. Add them to local/cost/bill.py")
        left = asleep(bill, settings[name], prices)
        cells = ["–" if left is None else f"{left:,.0f}", *(f"{usd:,.0f}" for usd in bill.totals)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}"
