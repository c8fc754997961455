"""Commands that bring data in and on: send, load, model, report."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from bronze_writer.load import load_file
from grpc_ingest.client import IngestClient
from grpc_ingest.results import EventResult
from lakehouse.catalog import load_entities
from lakehouse.compilers.dbt import ONE_PAYLOAD
from lakehouse.errors import InputError
from local import drain, runtime
from local.children import GOLD
from local.cli.context import Call, call_of, entity_named
from local.cli.output import NO, Lines, console, print_json, progress, table
from local.demo import write_report
from local.gold import Finding
from local.ledger_access import open_ledger
from local.model_run import model as build_model
from local.model_run import silver_findings
from local.run_state import Running

ENTITIES = f"One of {', '.join(load_entities())}."


def send(
    context: typer.Context,
    entity: Annotated[str, typer.Argument(help=ENTITIES, show_default=False)],
    events: Annotated[
        str, typer.Argument(help="One JSON object, or - for one object per line on standard input.")
    ],
    source: Annotated[str, typer.Option(help="Who sends it.")] = "nexus-send",
    op: Annotated[str, typer.Option(help="upsert, or delete (then the key columns are enough).")] = "upsert",
) -> None:
    """Sends events over gRPC to the running lake; prints each id with its position. Exit code 1 when one is refused.

    Example: nexus send sellers '{"seller_id": "6560211a19b47992c3666cc44a7e94c0", "seller_zip_code_prefix": "13023",
    "seller_city": "campinas", "seller_state": "SP"}'
    """
    call = call_of(context)
    name = entity_named(entity).name
    running = runtime.require(call.lake.root)
    refused, last = 0, "ID"

    def show(results: Any) -> None:
        nonlocal refused
        for result in results:
            refused += result.position is None
            _print_result(result)

    wanted = list(_objects(events))  # all or nothing: a broken line late in the input sends none of it
    with IngestClient.connect(running.grpc_address, source, on_results=show) as client:
        for columns in wanted:
            moment = columns.pop("occurred_at", None) or datetime.now(UTC)
            event_id = columns.pop("event_id", None)
            last = client.send(name, columns, moment, op=op, event_id=event_id)
    if refused:
        raise typer.Exit(NO)
    console.print(
        f"Acknowledged. Its rules are checked within seconds: [bold]nexus where {last}[/]; {way_to_gold(running)}"
    )


def load(
    context: typer.Context,
    entity: Annotated[str, typer.Argument(help=ENTITIES, show_default=False)],
    file: Annotated[Path, typer.Argument(help="CSV with a header, UTF-8.", show_default=False)],
    archive: Annotated[
        Path | None, typer.Option(help="Move the file here once it is verified in Bronze.")
    ] = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete the file once it is verified in Bronze.")
    ] = False,
) -> None:
    """Loads a CSV file as a batch of an entity, and waits until every row is in Silver or Quarantine.

    The same file again changes nothing.

    Example: nexus load reviews FILE.csv
    """
    call = call_of(context)
    wanted = entity_named(entity)
    running = runtime.attach(call.lake.root)
    if running is None:
        raise InputError(
            "Nothing runs this lake: start it with `nexus up`, load, and stop it with `nexus down`."
        )
    store = ObjectStore.connect(running.aws_url, running.region)
    with progress() as bars, Ledger.connect(running.ledger_url).connection as connection:
        lines, ledger = Lines(bars), Ledger(connection)
        task = lines.task(f"Loading {file.name}")
        report = load_file(
            file,
            wanted,
            store,
            call.lake.buckets.bronze,
            now=lambda: datetime.now(UTC),
            progress=task.at,
            archive=archive,
            purge=purge,
        )
        ends = {(report.log, report.topic, 0): report.records}
        task = lines.task("Checking", report.records)
        drain.wait_until_checked(
            ledger, ends, call.lake.run / "logs", lambda left: task.at(report.records - left)
        )
        lines.end()
        outcome = reports.balance_of_log(ledger, report.log)
    if report.landed_now:
        console.print(f"{report.records:,} records of {file.name} are in Bronze as {report.log}:")
    else:
        console.print(f"{file.name} was loaded before (as {report.log}), nothing changed:")
    console.print(f"{outcome.silver.rows:,} are in Silver, {outcome.quarantine.rows:,} in Quarantine.")
    if outcome.quarantine.rows:
        console.print(f"Why: [bold]nexus quarantine show --entity {wanted.name} --log {report.log}")
    if report.absent:
        console.print(f"The file lacks {', '.join(report.absent)}: taken for empty, each row is marked.")
    if report.unknown:
        told = escape(", ".join(report.unknown))
        console.print(
            f"The contract does not know {told}: kept beside each row. See [bold]nexus extras {wanted.name}"
        )
    console.print(way_to_gold(running))


def model(
    context: typer.Context,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Build all of it anew instead of adding to what there is.")
    ] = False,
    contracts: Annotated[
        bool, typer.Option("--contracts", help="Only test all of Silver by the rules of its contracts.")
    ] = False,
) -> None:
    """Adds to Gold what was committed in Silver since it was built, tests it, and publishes it.

    Example: nexus model
    """
    call = call_of(context)
    running = runtime.require(call.lake.root)
    store = ObjectStore.connect(running.aws_url, running.region)
    now = datetime.now(UTC)
    if contracts:
        _test_silver(call)
        return
    with progress() as bars, open_ledger(call.lake, call.settings.ledger) as ledger:
        lines = Lines(bars)
        task = lines.task("Building Gold")
        published = build_model(
            call.lake,
            ledger,
            store,
            now,
            lambda done, total, _name: task.at(done, total),
            full=full_refresh,
        )
        lines.end()
    _tell(published.findings, call.lake.root / "model/found")
    new = datetime.fromisoformat(published.published_at) >= now.replace(microsecond=0)
    told = "is published" if new else "holds everything that is committed already"
    console.print(
        f'Gold {published.build} {told}. Ask it: [bold]nexus query "select count(*) from fact_sales"'
    )


def _test_silver(call: Call) -> None:
    with progress() as bars, open_ledger(call.lake, call.settings.ledger) as ledger:
        lines = Lines(bars)
        task = lines.task("Testing Silver")
        findings = silver_findings(call.lake, ledger, lambda done, total, _name: task.at(done, total))
        lines.end()
    _tell(findings, call.lake.root / "contracts/found")
    console.print("No row of Silver breaks a rule of severity error.")
    if not any(finding.test.endswith(ONE_PAYLOAD) for finding in findings):
        console.print("No event was sent again with other values.")


def _tell(findings: Sequence[Finding], folder: Path) -> None:
    if findings:
        rows = [(finding.rows, finding.text, finding.test) for finding in findings]
        columns = ["rows", "what was found", "test"]
        console.print(table("Worth knowing (withholds nothing)", columns, rows, ["rows"]))
        console.print(f"The rows themselves, a CSV file for each: {folder}")


def report(context: typer.Context) -> None:
    """Writes .nexus/report.html from what is known now.

    Example: nexus report
    """
    call = call_of(context)
    with open_ledger(call.lake, call.settings.ledger) as ledger:
        write_report(call.lake, ledger)
    console.print(f"{call.lake.report}")


def way_to_gold(running: Running) -> str:
    """How what was sent comes to Gold, in words."""
    if GOLD in running.children:
        return "Gold follows by itself."
    return "[bold]nexus model[/] brings it to Gold."


def _objects(events: str) -> Iterator[dict[str, Any]]:
    lines = sys.stdin if events == "-" else [events]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"Line {number} is not JSON ({error}). Write one whole object in each line, such as "
                '{"seller_id": "…", "seller_state": "SP"}. Nothing of this input was sent.'
            ) from error
        if not isinstance(value, dict):
            raise InputError(
                f"Line {number} is not a JSON object. Write column names and values; nothing was sent."
            )
        yield value


def _print_result(result: EventResult) -> None:
    told: Mapping[str, Any] = {"event_id": result.event_id}
    if result.position is not None:
        told = {**told, "position": str(result.position)}
    elif result.refusal is not None:
        told = {**told, "refused": result.refusal.message, "field": result.refusal.field}
    print_json(told)
