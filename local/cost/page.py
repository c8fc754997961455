"""The printed page: per stack and resource, idle and at each rate; then what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.cost.bill import Setting, lines_of
from local.cost.load import KEPT_DAYS, RATES, Load
from local.cost.prices import PriceList
from local.sleep import KEPT
from stacks.settings import Settings

Template = Mapping[str, Any]
_SMALL = 0.005  # below half a cent at every rate a resource is not worth a line


@dataclass(frozen=True)
class Row:
    """A resource and what it costs a month at each of `RATES`; `unverified` prices among those it is made of."""

    stack: str
    resource: str
    usd: tuple[float, ...]
    unverified: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bill:
    """Everything that `make cost` prints. `unknown`: resource types that nobody has looked at yet."""

    rows: Sequence[Row]
    unknown: frozenset[str]
    orchestrated: bool

    @property
    def totals(self) -> tuple[float, ...]:
        """Of all stacks, at each rate."""
        return _sum(self.rows)


def asleep(bill: Bill, settings: Settings, prices: PriceList) -> float | None:
    """Dollars a month that are left, beside what the lake holds; None for an environment that does not sleep."""
    if settings.removal != "destroy":
        return None
    # at most: RDS keeps no empty blocks
    snapshot = prices.of("rds backup").usd * settings.database.storage_gib
    kept = [row for row in bill.rows if row.stack in KEPT and not row.resource.startswith("S3 ")]
    return _sum(kept)[0] + snapshot


def make_bill(templates: Mapping[str, Template], settings: Settings, prices: PriceList) -> Bill:
    """`templates` by stack name. InputError when a price is missing."""
    loads = [Load(rate, settings) for rate in RATES]
    orchestrated = any(
        resource["Type"] == "AWS::MWAA::Environment"
        for template in templates.values()
        for resource in template.get("Resources", {}).values()
    )
    rows, unknown = [], set()
    for stack, template in templates.items():
        resources = template.get("Resources", {})
        for id_, resource in resources.items():
            billed = [lines_of(resource, Setting(resources, load, orchestrated)) for load in loads]
            if billed[0] is None:
                unknown.add(resource["Type"])
                continue
            used = {line.price for lines in billed for line in lines or ()}
            usd = tuple(sum(prices.of(x.price).usd * x.quantity for x in lines or ()) for lines in billed)
            if max(usd) > _SMALL:
                unsure = frozenset(name for name in used if not prices.of(name).verified)
                rows.append(Row(stack, _named(id_, resource), usd, unsure))
    return Bill(rows, frozenset(unknown), orchestrated)


def to_text(bill: Bill, settings: Settings, prices: PriceList) -> str:
    """The page. Several resources of a kind in a stack stand in one line."""
    lines = [f"{settings.environment}: US dollars a month, {prices.region}, on demand, without tax", ""]
    lines.append(_cells("events a second", [f"{rate:,}" if rate else "idle" for rate in RATES]))
    for stack in dict.fromkeys(row.stack for row in bill.rows):
        own = [row for row in bill.rows if row.stack == stack]
        lines += ["", _cells(stack, [_dollars(usd) for usd in _sum(own)])]
        for name in dict.fromkeys(row.resource for row in own):
            same = [row for row in own if row.resource == name]
            mark = " ?" if any(row.unverified for row in same) else ""
            title = f"  {name}{f' × {len(same)}' if len(same) > 1 else ''}{mark}"
            lines.append(_cells(title, [_dollars(usd) for usd in _sum(same)]))
    lines += ["", _cells("all", [_dollars(usd) for usd in bill.totals]), ""]
    left = asleep(bill, settings, prices)
    if left is not None:
        lines.append(_cells("asleep, without the lake's storage", [_dollars(left)]))
    loads = [Load(rate, settings) for rate in RATES]
    lines.append(_cells("Bronze objects a day", [f"{load.objects_per_day:,.0f}" for load in loads]))
    asked = [load.queries_per_day(bill.orchestrated) for load in loads]
    lines.append(_cells("Athena queries a day", [f"{number:,.0f}" for number in asked]))
    return "\n".join([*lines, "", *_footnotes(bill, prices)]) + "\n"


def _footnotes(bill: Bill, prices: PriceList) -> list[str]:
    notes = [
        f"The lake holds what {KEPT_DAYS} days bring. Assumptions: local/cost/load.py, local/cost/bill.py."
    ]
    unsure = sorted(set().union(*(row.unverified for row in bill.rows))) if bill.rows else []
    if unsure:
        notes.append("? rests on prices that are unverified (no source, or no date of it):")
        notes += [f"    {name}: ${prices.of(name).usd:g} per {prices.of(name).unit}" for name in unsure]
    if bill.unknown:
        notes.append(f"Not in the bill, because nobody has looked at it: {', '.join(sorted(bill.unknown))}")
    return notes


def _named(id_: str, resource: Mapping[str, Any]) -> str:
    kind = str(resource["Type"]).removeprefix("AWS::").replace("::", " ")
    properties = resource.get("Properties", {})
    for key in ("BucketName", "QueueName", "FunctionName", "AutoScalingGroupName"):
        if isinstance(properties.get(key), str):
            return f"{kind} {properties[key]}"
    return kind


def _sum(rows: Sequence[Row]) -> tuple[float, ...]:
    return tuple(sum(row.usd[number] for row in rows) for number in range(len(RATES)))


def _dollars(usd: float) -> str:
    return f"{usd:,.2f}" if usd < 100 else f"{usd:,.0f}"


def _cells(title: str, values: Sequence[str]) -> str:
    return f"{title:<58}" + "".join(f"{value:>12}" for value in values)
