"""Commands that start, stop and show what runs: up, down, status."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from adapters.ledger import reports
from lakehouse.balance import Balance
from lakehouse.errors import InputError
from local import runtime
from local.children import GOLD
from local.cli.context import Call, call_of
from local.cli.doctor import print_findings
from local.cli.output import NO, console, errors, print_json, table
from local.doctor import examine_ledger, examine_running
from local.finding import Finding
from local.ledger_access import open_ledger
from local.run_events import Event
from local.run_state import OWN_KAFKA, Options, Running

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")]


def options_of(
    call: Call,
    broker: str = "",
    log: str = "",
    ledger: str = "",
    grpc_port: int = 0,
    refresh: bool | None = None,
) -> Options:
    """What a lake is started with: options before environment."""
    settings = call.settings
    return Options(
        bucket_prefix=settings.bucket_prefix,
        check_processes=settings.check_processes,
        refresh=settings.refresh if refresh is None else refresh,
        grpc_port=grpc_port,
        broker=broker or settings.broker,
        log=log or settings.log,
        ledger_url=ledger or settings.ledger,
    )


def tell(event: Event) -> None:
    """One line per step; what follows the last one says the rest."""
    if event.kind in ("running", "ended"):
        return
    style = "red" if event.kind in ("died", "lost", "failed") else "dim"
    errors.print(f"[{style}]{event.text}", markup=True)


def up(
    context: typer.Context,
    broker: Annotated[
        str,
        typer.Option(
            help="HOST:PORT of a real Kafka, or kafka: one that is started with the lake. Else a stand-in."
        ),
    ] = "",
    log: Annotated[str, typer.Option(help="Name of this incarnation of its topics, for a real Kafka.")] = "",
    ledger: Annotated[
        str, typer.Option(help="postgresql://… of your own; without it the embedded one.")
    ] = "",
    grpc_port: Annotated[int, typer.Option(help="Port of the gRPC host; 0 takes any free one.")] = 0,
    refresh: Annotated[
        bool | None,
        typer.Option(
            "--refresh/--no-refresh",
            help="Whether Gold follows Silver by itself; it does.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Starts everything and comes back when it works.

    Example: nexus up --broker kafka
    """
    call = call_of(context)
    running = runtime.attach(call.lake.root)
    if running is not None:
        _require_as_asked(running, broker, log, ledger, grpc_port, refresh)
        console.print(f"The lake {call.lake.root} runs already.")
    else:
        options = options_of(call, broker, log, ledger, grpc_port, refresh)
        runtime.start(call.lake.root, options, tell)
    status(context)


def _require_as_asked(
    running: Running, broker: str, log: str, ledger: str, grpc_port: int, refresh: bool | None
) -> None:
    """What runs is not changed by another `up`: InputError says what would have to be."""
    kafka = not running.embedded_broker
    differs = {
        f"its broker is {running.broker}": broker and not (kafka and broker in (OWN_KAFKA, running.broker)),
        f"its log is {running.log}": log and log != running.log,
        "it has another ledger": ledger and ledger != running.ledger_url,
        f"its gRPC host is {running.grpc_address}": grpc_port
        and not running.grpc_address.endswith(f":{grpc_port}"),
        f"Gold {'follows' if GOLD in running.children else 'does not follow'} Silver": refresh is not None
        and refresh != (GOLD in running.children),
    }
    if found := [text for text, does in differs.items() if does]:
        raise InputError(
            f"The lake {running.lake} runs already, and {' and '.join(found)}. Stop it with `nexus down`, then run "
            "this again."
        )


def down(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for what is on the way.")] = False,
) -> None:
    """Stops the host, lands and checks to the end, then stops everything.

    Example: nexus down
    """
    call = call_of(context)
    if runtime.stop(call.lake.root, tell, at_once=now):
        console.print("Everything is stopped. The lake stays.")
    else:
        console.print("Nothing was running.")


def status(context: typer.Context, json: Json = False) -> None:
    """What runs, what waits, the last Gold, and what is wrong, in one glance. Exit code 1 when nothing runs.

    Example: nexus status
    """
    call = call_of(context)
    running = runtime.attach(call.lake.root)
    if running is None:
        if json:
            print_json({"running": False, "lake": str(call.lake.root)})
        else:
            console.print(f"Nothing runs the lake {call.lake.root}. Start it with `nexus up`.")
        raise typer.Exit(NO)
    now = datetime.now(UTC)
    with open_ledger(call.lake, call.settings.ledger) as ledger:
        total = sum(reports.balance(ledger).values(), Balance())
        unlanded = sum(p.unlanded for p in reports.positions(ledger) if p.log == running.log)
        findings = [*examine_running(running), *examine_ledger(call.lake, ledger, running, now)]
    if json:
        state = asdict(replace(running, ledger_url=running.ledger_url.rpartition("@")[2]))
        waiting = {"unlanded": unlanded, "unchecked": total.unchecked.rows}
        print_json({"running": True, **state, **waiting, "findings": list(map(asdict, findings))})
        return
    _print_status(running, total, unlanded, findings)


def _print_status(running: Running, total: Balance, unlanded: int, findings: Sequence[Finding]) -> None:
    broker = f"{running.broker} ({'embedded' if running.embedded_broker else 'Kafka'}, log {running.log})"
    gold = next((f.text for f in findings if f.subject == "Gold"), "none").partition("; ")[0]
    rows = [
        ("lake", running.lake),
        ("gRPC", running.grpc_address),
        ("broker", broker),
        ("S3, SQS, Glue", running.aws_url),
        ("ledger", running.ledger_url.rpartition("@")[2]),
        ("processes", ", ".join(f"{name} {pid or 'down'}" for name, pid in running.children.items())),
        (
            "rows",
            f"{total.bronze.rows:,} Bronze = {total.silver.rows:,} Silver + {total.quarantine.rows:,} Quarantine",
        ),
        ("waiting", f"{unlanded:,} to land, {total.unchecked.rows:,} to check"),
        ("Gold", gold),
    ]
    console.print(table("", ["", ""], rows))
    troubles = [f for f in findings if f.state == "problem" or (f.state == "note" and f.subject in _TOLD)]
    if not troubles:
        console.print("[green]no problems[/]")
    print_findings(troubles)


# Notes that belong on the one glance; the others repeat a row of the table.
_TOLD = ("void", "restarts")
