"""Commands that only look: where, query."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from lakehouse.catalog import load_entities
from local import gold
from local.cli.context import call_of, entity_named
from local.cli.output import NO, console, print_json, print_result, table
from local.extras import unknown_columns
from local.ledger_access import open_ledger
from local.where import Sighting, follow_event

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


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


def extras(context: typer.Context, entity: Annotated[str, typer.Argument()] = "", json: Json = False) -> None:
    """Columns that came without being in a contract, and the lines to paste into it. Nothing of them is lost.

    Silver and Quarantine keep them in their column `extras`, as JSON by name.

    Example: nexus extras sellers
    """
    call = call_of(context)
    name = entity_named(entity).name if entity else None
    with open_ledger(call.lake, call.settings.ledger) as opened:
        found = [c for c in unknown_columns(call.lake, opened) if name in (None, c.entity)]
    if json:
        print_json([asdict(c) for c in found])
    elif not found:
        console.print("Every column that came is in its contract.")
    else:
        rows = [(c.entity, c.name, c.rows, ", ".join(c.examples)) for c in found]
        console.print(
            table("Columns that no contract knows", ["entity", "column", "rows", "such as"], rows, ["rows"])
        )
        for wanted in dict.fromkeys(c.entity for c in found):
            console.print(
                f"\nTo take them up: raise the version in lakehouse/contracts/{wanted}.yaml, paste below"
            )
            console.print("`properties`, run `make generate`. Rows that came before keep them in extras.\n")
            for column in found:
                if column.entity == wanted:
                    console.print(column.snippet(), markup=False, soft_wrap=True)


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
        if sighting.edit:
            edit, columns = sighting.edit, ", ".join(sighting.edit["columns"])
            console.print(
                f"  edited      {escape(columns)}, by {escape(edit['by'])} at {edit['at']}: {edit['file']}"
            )
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
