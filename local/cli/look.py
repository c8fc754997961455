"""Commands that only look: where, quarantine, query."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from lakehouse.catalog import load_entities
from lakehouse.errors import InputError
from local import gold
from local.cli.context import call_of, entity_named
from local.cli.output import NO, console, print_json, print_result, table
from local.ledger_access import open_ledger
from local.quarantine import HeldRow, count_reasons, held_rows
from local.where import Sighting, follow_event

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

quarantine = typer.Typer(no_args_is_help=True, help="Rows that broke a rule, and why.")


def where(context: typer.Context, event_id: str, json: Json = False) -> None:
    """Follows one event: each position at which it landed, and what became of it. Exit code 1 when it is nowhere.

    Example: nexus where 0b3c8e52-1f6d-8c1e-9a44-6b1f0a7d2c11
    """
    call = call_of(context)
    in_gold = gold.silver_keys(call.lake.root, call.lake.buckets.gold)
    with open_ledger(call.lake, call.settings.ledger) as opened:
        sightings = follow_event(call.lake, opened, load_entities(), event_id, in_gold)
    if json:
        print_json([asdict(s) for s in sightings])
    else:
        _print_sightings(event_id, sightings)
    if not sightings:
        raise typer.Exit(NO)


@quarantine.command("list")
def list_reasons(context: typer.Context, json: Json = False) -> None:
    """Rows in Quarantine by entity and rule.

    Example: nexus quarantine list
    """
    call = call_of(context)
    with open_ledger(call.lake, call.settings.ledger) as opened:
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


@quarantine.command("show")
def show_rows(
    context: typer.Context,
    entity: Annotated[str, typer.Option(help="Only this entity.")] = "",
    rule: Annotated[str, typer.Option(help="Only rows that broke this rule.")] = "",
    log: Annotated[
        str, typer.Option(help="Only rows of this log, such as load-… as `nexus load` names it.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 5,
    json: Json = False,
) -> None:
    """Rows in Quarantine: what is wrong with each, and the row as it came.

    Example: nexus quarantine show --entity reviews --limit 3
    """
    call = call_of(context)
    name = entity_named(entity).name if entity else None
    with open_ledger(call.lake, call.settings.ledger) as opened:
        if rule:
            _require_rule(rule, {c.rule for c in count_reasons(call.lake, opened)})
        rows = held_rows(call.lake, opened, name, rule or None, limit, log or None)
    if json:
        print_json([asdict(row) for row in rows])
    elif not rows:
        console.print("No such row is in Quarantine.")
    for row in [] if json else rows:
        _print_held(row)


def _require_rule(rule: str, broken: set[str]) -> None:
    if rule not in broken:
        raise InputError(
            f"No row in Quarantine breaks the rule {rule!r}. Rules with rows: {', '.join(sorted(broken))}."
        )


def query(context: typer.Context, sql: str, json: Json = False) -> None:
    """Asks published Gold in SQL (DuckDB's dialect).

    Example: nexus query "select payment_type, sum(payment_value) from fact_payments group by 1"
    """
    call = call_of(context)
    result = gold.query(call.lake.root, call.lake.buckets.gold, sql)
    if json:
        print_json(result.records())
        return
    print_result(result.columns, result.rows)


_TELL = {
    "silver": "[green]Silver",
    "quarantine": "[yellow]Quarantine",
    "unchecked": "[yellow]Bronze, not checked yet",
    "overlap": "[red]Bronze, overlapping another object: not counted",
    "gone": "[red]its Bronze object is gone",
    "missing": "[red]neither Silver nor Quarantine holds it: run `nexus ledger` and report this",
}


def _print_sightings(event_id: str, sightings: list[Sighting]) -> None:
    if not sightings:
        console.print(
            f"Bronze has never seen {escape(event_id)}: it was not acknowledged by this lake, or waits to land. "
            "Give a whole event id, as `nexus send` and `nexus quarantine show` print it; not a position or a key."
        )
        return
    landed = len(sightings)
    console.print(
        f"[bold]{event_id}[/] ({sightings[0].entity}) landed {'once' if landed == 1 else f'{landed} times'}"
    )
    for sighting in sightings:
        console.print(f"\n  at [bold]{sighting.position}")
        console.print(f"  Bronze      {sighting.bronze_key}")
        console.print(f"  is in       {_TELL[sighting.place]}[/] {sighting.output_key or ''}")
        for reason in sighting.reasons:
            value = escape(repr(reason.value))
            console.print(f"  because     {reason.message} ({reason.column}: {value}, rule {reason.rule})")
        for warning in sighting.warnings:
            console.print(f"  warned      {_warning_text(sighting.entity, warning)}")
        if sighting.place == "silver":
            console.print(f"  Gold        {_gold_says(sighting)}")


def _warning_text(entity: str, rule: str) -> str:
    texts = {r.id: r.text for version in load_entities()[entity].versions for r in version.rules}
    return f"{texts[rule]} (rule {rule})" if rule in texts else rule


def _gold_says(sighting: Sighting) -> str:
    if sighting.deleted:
        return "does not show it: the newest version of its key is a delete"
    if not sighting.newest_of_key:
        return "does not show it: a newer version of its key, or a later copy of it, stands in its place"
    if sighting.in_gold:
        return "[green]shows it"
    return "does not show it yet: `nexus up` keeps it fresh, or run `nexus model`"


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
