"""Commands of the ledger: its balance; `rebuild` makes it anew from the lake, `check` compares it with the lake."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from lakehouse.balance import Balance
from lakehouse.catalog import load_entities
from lakehouse.errors import InputError
from lakehouse.paths import is_load
from local import runtime
from local.broker_watch import ask_broker
from local.cli.balance import balance_json, print_balance, print_positions, print_voids
from local.cli.context import Call, call_of
from local.cli.output import NO, Lines, console, print_json, progress
from local.closing import CLOSED, close_lost_log
from local.folder_lake import FolderLake
from local.lake_account import LakeAccounts
from local.ledger_access import open_idle_ledger, open_ledger
from local.ledger_check import Compared, Difference, compare_objects
from local.ledger_positions import compare_positions
from local.ledger_remedies import KINDS
from local.rebuild import RebuildReport, rebuild_ledger

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
OverS3 = Annotated[
    bool,
    typer.Option(
        "--s3",
        help="Read the buckets of NEXUS_BUCKET_PREFIX over S3, with your own AWS credentials, instead of the lake's "
        "folder. Needs NEXUS_LEDGER_URL.",
    ),
]
# Names listed one by one; the rest is counted.
_LISTED = 20

ledger = typer.Typer(
    help="The balance: where every Bronze row and every offset is; and the ledger's own health."
)


@ledger.callback(invoke_without_command=True)
def balance(context: typer.Context, json: Json = False) -> None:
    """The balance: where every Bronze row and every offset is. Exit code 1 when something is unaccounted for.

    Example: nexus ledger --json
    """
    if context.invoked_subcommand is not None:
        return
    call = call_of(context)
    with open_ledger(call.lake, call.settings.ledger) as opened:
        balances, positions = reports.balance(opened), reports.positions(opened)
        voids = reports.voids(opened)
    total = sum(balances.values(), Balance())
    closed = (
        total.closed and all(b.closed for b in balances.values()) and not any(p.unlanded for p in positions)
    )
    if json:
        print_json(
            {
                "closed": closed,
                "total": balance_json(total),
                "entities": {name: balance_json(b) for name, b in balances.items()},
                "positions": [asdict(p) | {"unlanded": p.unlanded} for p in positions],
                "void": [asdict(v) for v in voids],
            }
        )
    else:
        print_balance(balances, total, closed)
        print_positions(positions)
        print_voids(voids)
    if not closed:
        raise typer.Exit(NO)


@ledger.command()
def rebuild(context: typer.Context, s3: OverS3 = False) -> None:
    """Makes a lost ledger anew from the lake alone. Broken off, the same command goes on.

    Reads metadata and footers, never rows. Needs an empty ledger: a new database, or a lake without its pg folder.

    Example: nexus ledger rebuild
    """
    call = call_of(context)
    with _empty_ledger(call, s3) as opened, progress() as bars:
        lines = Lines(bars)
        task = lines.task("Rebuilding the ledger")
        report = rebuild_ledger(
            _accounts(call, s3), opened, lambda: datetime.now(UTC), _otherwise(call), task.at
        )
        lines.end()
        balances, positions = reports.balance(opened), reports.positions(opened)
        voids = reports.voids(opened)
    total = sum(balances.values(), Balance())
    closed = all(b.closed for b in balances.values()) and not any(p.unlanded for p in positions)
    print_balance(balances, total, closed)
    print_voids(voids)
    _print_rebuilt(report)
    if damaged := _file_differences(call, s3):
        console.print(
            f"[red]{len(damaged):,} files of the lake are not what was stored[/]: nexus ledger check"
        )


def _print_rebuilt(report: RebuildReport) -> None:
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(report.states.items())) or "none"
    console.print(f"{report.objects:,} objects ({states}), {report.rows:,} rows, read from the lake alone.")
    for remark in report.remarks[:_LISTED]:
        console.print(f"[yellow]{escape(remark)}")
    if len(report.remarks) > _LISTED:
        console.print(f"[yellow]and {len(report.remarks) - _LISTED:,} more of this kind")
    if waiting := report.states.get("open", 0):
        console.print(f"{waiting:,} objects wait to be checked: `nexus up` does it.")
    for log in report.open_logs:
        console.print(
            f"Log {log} is not closed: what its broker holds beyond the last landed object is not in the lake. "
            "`nexus up` asks the broker, or closes the log if it is gone."
        )
    console.print(
        "[dim]Not in the lake, and so not in this ledger: numbers of attempts; why an object was found gone. "
        "Times of commits are those of the files."
    )


@ledger.command()
def check(
    context: typer.Context,
    s3: OverS3 = False,
    minimum_age: Annotated[
        int, typer.Option(min=0, help="Seconds; younger objects are left out: they may be on their way.")
    ] = 60,
    json: Json = False,
) -> None:
    """Compares lake, ledger and broker, and names every difference with its remedy. Exit code 1 when there is any.

    Reads metadata and footers, never rows; changes nothing.

    Example: nexus ledger check
    """
    call = call_of(context)
    running = None if s3 else runtime.attach(call.lake.root)
    with _ledger(call, s3) as opened, progress(quiet=json) as bars:
        lines = Lines(bars)
        task = lines.task("Comparing lake and ledger")
        young_after = datetime.now(UTC) - timedelta(seconds=minimum_age)
        lake = _accounts(call, s3)
        found = compare_objects(lake, opened, young_after, task.at)
        broker = ask_broker(running, lake.entities) if running else None
        differences = found.differences + compare_positions(lake, opened, found, broker)
        differences += _file_differences(call, s3)
        lines.end()
    if json:
        print_json(
            {"objects": found.objects, "young": found.young, "differences": list(map(asdict, differences))}
        )
    else:
        _print_differences(differences)
        _print_checked(found, differences, broker is not None)
    if differences:
        raise typer.Exit(NO)


@ledger.command()
def close(
    context: typer.Context,
    log: Annotated[
        str, typer.Argument(help="Id of the log, as `nexus ledger` shows it.", show_default=False)
    ],
) -> None:
    """Closes a log of a Kafka that is gone, or whose topics were made anew: nothing more will be landed from it.

    Offsets of it that the ledger has seen and that never landed are named void, here and in the lake. The lake has to
    run, with another log. Logs of embedded brokers are closed by `nexus up`. Twice is the same as once.

    Example: nexus ledger close shop-2025
    """
    call = call_of(context)
    running = runtime.attach(call.lake.root)
    if running is None:
        raise runtime.NotRunning(call.lake.root)
    if log == running.log:
        raise InputError(
            f"Log {log} is the one in use. Start the lake with a new one first: nexus down, then "
            "nexus up --broker HOST:PORT --log NAME."
        )
    with Ledger.connect(running.ledger_url).connection as connection:
        opened = Ledger(connection)
        known = {p.log for p in reports.positions(opened) if not is_load(p.log)}
        if log not in known:
            raise InputError(f"The ledger has no log {log}. It has: {', '.join(sorted(known))}.")
        store = ObjectStore.connect(running.aws_url, running.region)
        close_lost_log(
            opened, store, call.lake.buckets.bronze, load_entities(), log, {}, datetime.now(UTC), CLOSED
        )
        void = [v for v in reports.voids(opened) if v.log == log]
    console.print(f"Log {log} is closed. {'What never landed from it:' if void else 'All of it landed.'}")
    print_voids(void)


def _file_differences(call: Call, s3: bool) -> list[Difference]:
    if s3:
        return []
    misfits = FolderLake(call.lake.root).misfits(vars(call.lake.buckets).values())
    return [Difference("file", misfit.text) for misfit in misfits]


def _print_differences(differences: Sequence[Difference]) -> None:
    for name, kind in KINDS.items():
        group = [d for d in differences if d.kind == name]
        if not group:
            continue
        console.print(f"[red]{name}[/] ({len(group):,}): {kind.meaning}")
        for difference in group[:_LISTED]:
            detail = f": {difference.text}" if difference.text else ""
            console.print(escape(f"  {difference.what}{detail}"), soft_wrap=True)
        if len(group) > _LISTED:
            console.print(f"  and {len(group) - _LISTED:,} more; --json has all")
        console.print(f"  [bold]→[/] {escape(kind.remedy)}.\n")


def _print_checked(found: Compared, differences: Sequence[Difference], asked: bool) -> None:
    against = "lake, ledger and broker" if asked else "lake and ledger (no broker runs)"
    young = f"; {found.young:,} objects too young to judge were left out" if found.young else ""
    if differences:
        console.print(
            f"{len(differences):,} differences between {against} over {found.objects:,} objects{young}."
        )
    else:
        console.print(f"[green]equal[/]: {against} agree on {found.objects:,} objects{young}.")


@contextmanager
def _ledger(call: Call, s3: bool) -> Iterator[Ledger]:
    if s3:
        with _empty_ledger(call, s3) as opened:
            yield opened
    else:
        with open_ledger(call.lake, call.settings.ledger) as opened:
            yield opened


@contextmanager
def _empty_ledger(call: Call, s3: bool) -> Iterator[Ledger]:
    if not s3:
        with open_idle_ledger(call.lake, call.settings.ledger) as opened:
            yield opened
        return
    if not call.settings.ledger:
        raise InputError("With --s3 the ledger has to be named: set NEXUS_LEDGER_URL=postgresql://…")
    with Ledger.connect(call.settings.ledger).connection as connection:
        yield Ledger(connection)


def _accounts(call: Call, s3: bool) -> LakeAccounts:
    settings = call.settings
    store = ObjectStore.connect(settings.endpoint, settings.region) if s3 else FolderLake(call.lake.root)
    return LakeAccounts(store, call.lake.buckets, load_entities())


def _otherwise(call: Call) -> str:
    if call.settings.ledger:
        return "make an empty database, and name it by NEXUS_LEDGER_URL."
    folder = call.lake.root / "pg"
    return f"mv {folder} {folder}.old, then run this again."
