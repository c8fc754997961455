"""nexus doctor: what is wrong with this machine or this lake, and what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from local.cli.context import call_of
from local.cli.output import NO, console, print_json
from local.doctor import examine
from local.finding import Finding

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")]

_MARKS = {"ok": "[green]ok     [/]", "note": "[yellow]note   [/]", "problem": "[red]problem[/]"}


def doctor(context: typer.Context, json: Json = False) -> None:
    """Examines this machine and the lake, one line each, with what to do. Exit code 1 when something is wrong.

    Changes nothing. `nexus ledger check` goes further: it compares every object of the lake with the ledger.

    Example: nexus doctor
    """
    call = call_of(context)
    findings = []
    for finding in examine(call.lake, call.settings, datetime.now(UTC)):
        findings.append(finding)
        if not json:
            print_findings([finding])
    if json:
        print_json(list(map(asdict, findings)))
    problems = sum(f.state == "problem" for f in findings)
    if not json:
        console.print(f"\n{problems} problems" if problems else "\n[green]no problems[/]")
    if problems:
        raise typer.Exit(NO)


def print_findings(findings: Iterable[Finding]) -> None:
    """One line each; a remedy stands below."""
    for finding in findings:
        console.print(f"{_MARKS[finding.state]} {finding.subject}: {escape(finding.text)}", soft_wrap=True)
        if finding.remedy:
            console.print(f"        → {escape(finding.remedy)}", soft_wrap=True)
