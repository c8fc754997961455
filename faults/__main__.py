"""`python -m faults [--histories 15] [--faults 21] [--seed 1]`: runs histories, prints what came of them.

A history that fails prints its seed and is made shorter; `--seed S --histories 1` repeats it. Exit code 1 on any
finding. Needs Kafka's jars (`make kafka`).
"""

import argparse
import faulthandler
import logging
import signal
import sys
from collections import Counter

from faults.history import BROKE_OFF, Plan, Verdict, brokers_of, deal, run, shrink
from faults.kinds import KINDS
from lakehouse.errors import InputError, NexusError

LOSSES = (
    "acknowledged, not there",
    "in the broker, not in Bronze",
    "in neither Silver nor Quarantine",
    "not in Gold",
)
DOUBLES = ("twice in Bronze", "more than once below Bronze", "more than once in Gold")


def main() -> int:
    """Runs them all."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--histories", type=int, default=15)
    parser.add_argument("--faults", type=int, default=21, help="in each history")
    parser.add_argument("--seed", type=int, default=1, help="of the first history; the next ones count up")
    parser.add_argument(
        "--only", default="", help="strike with kinds whose names hold one of these (a,b), in one history"
    )
    parser.add_argument("--no-shrink", action="store_true", help="leave a failing history as it is")
    arguments = parser.parse_args()
    faulthandler.enable()  # half of what runs in this process is not Python
    faulthandler.register(signal.SIGUSR1)  # where a history is that seems to stand still
    logging.getLogger().addHandler(logging.NullHandler())  # else what has no handler goes to the terminal
    plans = _only(arguments) if arguments.only else _drawn(arguments)
    if missing := [kind.name for kind in KINDS if not kind.possible()]:
        print(f"left out, as this machine lacks what they need (faults/skewed.py): {', '.join(missing)}")
    verdicts = []
    for number, plan in enumerate(plans):
        print(
            f"history {number + 1} of {len(plans)}, seed {plan.seed}, {plan.brokers} broker{'s' * (plan.brokers > 1)}",
            flush=True,
        )
        verdict = run(plan, _tell)
        _print(verdict)
        verdicts.append(verdict)
        if {finding.kind for finding in verdict.findings} - {BROKE_OFF} and not arguments.no_shrink:
            print("making it shorter")
            short = shrink(verdict, _tell)
            print("shortest that fails: " + ", ".join(KINDS[place].name for place, _ in short.plan.strikes))
    return _summary(verdicts)


def _drawn(arguments: argparse.Namespace) -> list[Plan]:
    seeds = range(arguments.seed, arguments.seed + arguments.histories)
    dealt = deal(seeds, arguments.faults)
    return [Plan.draw(seed, arguments.faults, dealt[seed]) for seed in seeds]


def _only(arguments: argparse.Namespace) -> list[Plan]:
    """One history, on as many brokers as its first kind wants."""
    parts = [part.strip() for part in arguments.only.split(",")]
    wanted = [place for place, kind in enumerate(KINDS) if any(part in kind.name for part in parts)]
    if not wanted:
        raise InputError(
            f"no kind is called {arguments.only!r}; there are: {', '.join(k.name for k in KINDS)}"
        )
    seeds = (arguments.seed, arguments.seed + 1)
    seed = next(s for s in seeds if brokers_of(s) in KINDS[wanted[0]].brokers)
    return [Plan.draw(seed, len(wanted), wanted)]


def _tell(text: str) -> None:
    print(f"  {text}", flush=True)


def _print(verdict: Verdict) -> None:
    print(
        f"  {len(verdict.struck)} faults, {verdict.events:,} events, {verdict.acknowledged:,} acknowledged, "
        f"{verdict.refused:,} refused, {verdict.seconds:.0f} s: "
        + (f"{len(verdict.findings)} findings" if verdict.findings else "all accounted for"),
        flush=True,
    )
    for finding in verdict.findings[:20]:
        print(f"    {finding.kind}: {finding.text}", flush=True)


def _summary(verdicts: list[Verdict]) -> int:
    struck = Counter((kind.number, kind.name) for verdict in verdicts for kind in verdict.struck)
    print(f"\n{'no.':>4}  {'fault':45} {'times':>5}")
    for (number, name), count in sorted(struck.items()):
        print(f"{number:>4}  {name:45} {count:>5}")
    findings = Counter(finding.kind for verdict in verdicts for finding in verdict.findings)
    lost = sum(findings[kind] for kind in LOSSES)
    doubled = sum(findings[kind] for kind in DOUBLES)
    print(
        f"\n{len(verdicts)} histories, {struck.total()} faults of {len(struck)} kinds, "
        f"{sum(v.acknowledged for v in verdicts):,} events acknowledged: {lost} losses, {doubled} doubles, "
        f"{findings.total() - lost - doubled} other findings, {sum(v.seconds for v in verdicts):.0f} s"
    )
    failed = [verdict.plan.seed for verdict in verdicts if verdict.findings]
    if failed:
        print(f"failed: seeds {', '.join(map(str, failed))}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NexusError as error:
        sys.exit(str(error))
