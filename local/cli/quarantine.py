"""Commands for rows in Quarantine: list, show, explain, preview, replay."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lakehouse.errors import InputError
from lambdas.requeue_quarantine.request import PREVIEW, REPLAY, Request
from lambdas.requeue_quarantine.requeue import Report
from local import requeue
from local.cli.context import call_of, entity_named
from local.cli.data import way_to_gold
from local.cli.output import NO, console, print_json, table
from local.explain import explain_row, explain_rule, rule_named
from local.ledger_access import open_ledger
from local.quarantine import (
    DayCount,
    HeldRow,
    count_by_day,
    count_reasons,
    held_event,
    held_rows,
    write_csv,
)
from local.report.figures import rows as count_of
from local.runtime import require

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
EntityOf = Annotated[str, typer.Option(help="Rows of this entity.")]
RuleOf = Annotated[str, typer.Option(help="Only rows that broke this rule.")]
LogOf = Annotated[str, typer.Option(help="Only rows of this log, such as load-… as `nexus load` names it.")]
ObjectOf = Annotated[str, typer.Option("--object", help="Only rows of this Bronze object, by its key.")]
EventOf = Annotated[str, typer.Option(help="Only rows of this event, by its id.")]
EditsOf = Annotated[
    Path | None, typer.Option(help="CSV or Parquet: corrected rows, by position or event_id.")
]

quarantine = typer.Typer(no_args_is_help=True, help="Rows that broke a rule: why, and what to do about them.")


@quarantine.command("list")
def list_reasons(
    context: typer.Context,
    by_day: Annotated[
        bool, typer.Option("--by-day", help="By the day they arrived and their source too.")
    ] = False,
    json: Json = False,
) -> None:
    """Rows in Quarantine by entity and rule.

    Example: nexus quarantine list
    """
    call = call_of(context)
    with open_ledger(call.lake, call.settings.ledger) as opened:
        if by_day:
            days = count_by_day(call.lake, opened)
            if json:
                print_json([asdict(d) for d in days])
            else:
                _print_days(days)
            return
        counts = count_reasons(call.lake, opened)
    if json:
        print_json([asdict(c) for c in counts])
    elif not counts:
        console.print("Quarantine is empty.")
    else:
        rows = [(c.entity, c.rule, c.rows, c.events, c.message) for c in counts]
        columns = ["entity", "rule", "rows", "events", "what is wrong"]
        console.print(table("Quarantine by reason", columns, rows, ["rows", "events"]))
        if any(c.rows > c.events for c in counts):
            console.print("[dim]More rows than events: some were sent again, and stand at several positions.")
        console.print("\nLook at rows: [bold]nexus quarantine show --entity " + counts[0].entity)
        console.print(f"What to do:   [bold]nexus quarantine explain {counts[0].entity} {counts[0].rule}")


@quarantine.command("show")
def show_rows(
    context: typer.Context,
    entity: Annotated[str, typer.Option(help="Only this entity.")] = "",
    rule: RuleOf = "",
    log: LogOf = "",
    event: EventOf = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 5,
    csv: Annotated[
        Path | None, typer.Option(help="Write all of them to a file, to be corrected there; needs --entity.")
    ] = None,
    json: Json = False,
) -> None:
    """Rows in Quarantine: what is wrong with each, and the row as it came.

    Example: nexus quarantine show --entity reviews --limit 3
    """
    call = call_of(context)
    wanted = entity_named(entity) if entity else None
    if csv is not None and wanted is None:
        raise typer.BadParameter("--csv needs --entity: a file holds rows of one entity.")
    with open_ledger(call.lake, call.settings.ledger) as opened:
        if rule:
            _require_rule(rule, {c.rule for c in count_reasons(call.lake, opened)})
        most = None if csv else limit
        rows = held_rows(
            call.lake, opened, wanted.name if wanted else None, rule or None, most, log or None, event or None
        )
    if csv is not None and wanted is not None:
        write_csv(csv, wanted, rows)
        console.print(
            f"{len(rows):,} rows are in {csv}. Correct them there, then look what would become of them:"
        )
        console.print(f"[bold]nexus quarantine preview --entity {wanted.name} --edits {csv}")
    elif json:
        print_json([asdict(row) for row in rows])
    elif not rows:
        console.print("No such row is in Quarantine.")
    else:
        for row in rows:
            _print_held(row)


@quarantine.command("explain")
def explain(context: typer.Context, what: str, rule: Annotated[str, typer.Argument()] = "") -> None:
    """What is wrong with an event, or what a rule of an entity asks for; and what can be done about it.

    Exit code 1 when the event is not in Quarantine.

    Example: nexus quarantine explain reviews review_creation_date_present
    """
    call = call_of(context)
    if rule:
        entity = entity_named(what)
        if rule_named(entity, rule) is None:
            with open_ledger(call.lake, call.settings.ledger) as opened:
                _require_rule(rule, {c.rule for c in count_reasons(call.lake, opened) if c.entity == what})
        console.print(f"[bold]{entity.name}[/] {rule}")
        _print_lines(explain_rule(entity, rule))
        return
    with open_ledger(call.lake, call.settings.ledger) as opened:
        rows = held_event(call.lake, opened, what)
        for row in rows:
            entity = entity_named(row.entity)
            console.print(
                f"[bold]{row.entity}[/] {row.event_id} at {row.position}, judged by {row.judged_by}"
            )
            _print_lines(list(explain_row(entity, row)))
            asked = Request(row.entity, PREVIEW, event=row.event_id, object=row.bronze_key)
            report = requeue.previews(call.lake, opened).preview(asked, None)
            if report.passing:
                told = f"nexus quarantine replay --entity {row.entity} --event {row.event_id}"
                console.print(f"  [green]It passes the rules of now:[/] [bold]{told}[/] moves it to Silver.")
    if not rows:
        console.print(
            f"{escape(what)} is no event in Quarantine. Where is it? [bold]nexus where {escape(what)}"
        )
        raise typer.Exit(NO)


@quarantine.command("preview")
def preview(
    context: typer.Context,
    entity: EntityOf,
    rule: RuleOf = "",
    log: LogOf = "",
    bronze: ObjectOf = "",
    event: EventOf = "",
    edits: EditsOf = None,
    json: Json = False,
) -> None:
    """How many rows would pass now, by the contracts as they stand here or with edits, and why the others would not.

    Changes nothing. Exit code 1 when no row would pass.

    Example: nexus quarantine preview --entity reviews --rule review_score_in_range
    """
    call = call_of(context)
    wanted = entity_named(entity)
    request = Request(wanted.name, PREVIEW, rule, log, bronze, event)
    with open_ledger(call.lake, call.settings.ledger) as opened:
        mended = requeue.edits_of(edits, wanted) if edits else None
        report = requeue.previews(call.lake, opened).preview(request, mended)
    _tell(report, "would pass", json)


@quarantine.command("replay")
def replay(
    context: typer.Context,
    entity: EntityOf,
    rule: RuleOf = "",
    log: LogOf = "",
    bronze: ObjectOf = "",
    event: EventOf = "",
    edits: EditsOf = None,
    by: Annotated[str, typer.Option(help="Who edited the rows; else who runs this.")] = "",
    json: Json = False,
) -> None:
    """Moves rows that pass now from Quarantine to Silver. Twice is once.

    Exit code 1 when no row moved.

    Example: nexus quarantine replay --entity reviews --rule review_score_in_range
    """
    call = call_of(context)
    wanted = entity_named(entity)
    require(call.lake.root)  # before a stopped lake's ledger is started only to be read
    with open_ledger(call.lake, call.settings.ledger) as opened:
        mover = requeue.replays(call.lake, opened)
        key = requeue.upload_edits(call.lake, edits, wanted, by) if edits else ""
        report = mover.run(Request(wanted.name, REPLAY, rule, log, bronze, event, key))
    _tell(report, "moved to Silver", json)
    if not json and report.passing:
        console.print(way_to_gold(require(call.lake.root)))


def _print_days(days: list[DayCount]) -> None:
    rows = [(str(d.day or ""), d.entity, d.source or "", d.rule, d.rows) for d in days]
    columns = ["day", "entity", "source", "rule", "rows"]
    console.print(table("Quarantine by day and source", columns, rows, ["rows"]))


def _tell(report: Report, passed: str, json: bool) -> None:
    if json:
        print_json(asdict(report))
    else:
        console.print(
            f"Judged {count_of(report.judged)} of {report.entity} in {count_of(report.objects, 'object')}: "
            f"[green]{report.passing:,} {passed}[/], [yellow]{report.staying:,} stay in Quarantine."
        )
        if report.refusals:
            counts = sorted(report.refusals.items(), key=lambda item: -item[1])
            console.print(table("Why they stay", ["rule", "rows"], counts, ["rows"]))
        for row in report.refused[:5]:
            told = "; ".join(f"{r['message']} It says {r['value']!r}." for r in row.reasons)
            console.print(f"  {row.event_id} at {row.position}: {escape(told)}")
        if report.unknown_count:
            first = ", ".join(report.unknown[:3])
            console.print(
                f"[yellow]{count_of(report.unknown_count)} of the edits: not in Quarantine[/] (moved before, or "
                f"named wrongly): {escape(first)}{' …' if report.unknown_count > len(report.unknown[:3]) else ''}"
            )
        for key in report.again:
            console.print(f"[yellow]{key} was changed by another replay meanwhile: run the same again.")
        for problem in report.problems:
            console.print(f"[red]{escape(problem)}")
    if not report.passing:
        raise typer.Exit(NO)


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        console.print(f"  {escape(line)}")


def _require_rule(rule: str, broken: set[str]) -> None:
    if rule not in broken:
        raise InputError(
            f"No row in Quarantine breaks the rule {rule!r}. Rules with rows: {', '.join(sorted(broken))}."
        )


def _print_held(row: HeldRow) -> None:
    console.print(f"[bold]{row.entity}[/] {row.event_id} at {row.position}")
    for reason in row.reasons:
        value = "" if not reason.value else f" It says: {reason.value!r}."
        column = f" [dim]({reason.column})[/]" if reason.column else ""
        console.print(f"  [yellow]{reason.message}[/]{value}{column}")
    for name, value in row.columns.items():
        if value is not None:
            console.print(f"    [dim]{name}[/] {escape(str(value))}")
    if row.raw is not None:
        console.print(f"    [dim]raw[/] {escape(repr(row.raw[:200]))}")
    console.print()
