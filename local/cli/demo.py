"""nexus demo: a shop's events from gRPC to Gold, and the proof that none was lost."""

from pathlib import Path
from typing import Annotated

import typer

from local.cli.balance import print_balance
from local.cli.context import call_of
from local.cli.output import Lines, console, progress, table
from local.cli.services import options_of
from local.demo import Done, Wish, run_demo

DEFAULT_ORDERS = 8000  # some 60,000 rows: enough for charts that look like a shop, and half a minute's work
_REASONS = 12  # the most frequent; a screen's worth
DEFAULT_SEED = 20180


def demo(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option(help="Folder with the Olist CSV files instead of a made-up shop.")
    ] = None,
    orders: Annotated[
        int, typer.Option(min=200, max=1_000_000, help="Orders of the made-up shop.")
    ] = DEFAULT_ORDERS,
    seed: Annotated[int, typer.Option(help="Another seed makes another shop.")] = DEFAULT_SEED,
) -> None:
    """Takes a shop's events from gRPC to Gold and writes .nexus/report.html.

    Starts what it needs and stops it again, unless `nexus up` did before. Run again, it resends the same event ids.

    Example: nexus demo --data ../olist
    """
    call = call_of(context)
    with progress() as bars:
        lines = Lines(bars)
        done = run_demo(call.lake, Wish(data, orders, seed, options_of(call)), lines)
        lines.end()
    _print(done)
    console.print(f"\nReport: [bold]{call.lake.report}[/] (open it in a browser)")
    _print_next(done)


def _print(done: Done) -> None:
    report = done.report
    balances = {e.entity: e.balance for e in report.entities}
    console.print()
    print_balance(balances, report.total, report.closed)
    _print_again(done)
    if report.quarantine:
        rows = [(q.entity, q.rows, q.text) for q in report.quarantine[:_REASONS]]
        console.print(table("Quarantine by reason", ["entity", "rows", "what is wrong"], rows, ["rows"]))
        more = len(report.quarantine) - len(rows)
        console.print(f"[dim]and {more} more: nexus quarantine list[/]\n" if more > 0 else "")
    if report.headlines:
        h = report.headlines
        figures = [
            ("orders with items", h.orders),
            ("items", h.items),
            ("price", _money(h.price)),
            ("freight", _money(h.freight)),
            ("payments", _money(h.payments)),
            ("persons", h.persons),
        ]
        console.print(table("Gold", ["", "value"], figures, ["value"]))
    for void in report.voids:
        console.print(
            f"[red]void[/] {void.log}/{void.topic}/{void.partition} offsets {void.first:,} to {void.end - 1:,}: "
            f"{void.reason}"
        )
    for note in done.notes:
        console.print(f"[dim]{note}")


def _print_again(done: Done) -> None:
    """What a second run over the same lake should know."""
    resent = sum(e.balance.bronze.rows - e.distinct_events for e in done.report.entities)
    if resent:
        console.print(
            f"{resent:,} Bronze rows are resent events (ids the lake had already); Gold shows each once."
        )
    known = [name for name, load in done.loads.items() if not load.landed_now]
    if known:
        console.print(f"Already in the lake, nothing added: {', '.join(known)}.")
    refused = len(done.receipts.refused) + len(done.report.refused)
    if refused:
        console.print(
            f"[yellow]{refused:,} rows were refused before they became events; the report names them."
        )


def _print_next(done: Done) -> None:
    example = next((x.event_id for q in done.report.quarantine for x in q.examples), None)
    console.print("\nTry next:")
    console.print("  nexus ledger                     where every row and every offset is")
    if example:
        console.print("  nexus quarantine show            rows with their reasons")
        console.print(f"  nexus where {example}   follow one event")
    console.print('  nexus query "select * from insight_monthly_growth"')


def _money(text: str) -> str:
    whole, _, cents = text.partition(".")
    return f"R$ {int(whole):,}.{(cents + '00')[:2]}"
