"""The command line `nexus`. Exit codes: 0 well, 1 the answer is no, 2 usage, 3 trouble, 130 interrupted."""

import errno
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lakehouse.errors import NexusError
from local.cli.context import make_call
from local.cli.data import load, model, report, send
from local.cli.demo import demo
from local.cli.doctor import doctor
from local.cli.ledger import ledger
from local.cli.look import extras, query, where
from local.cli.output import INTERRUPTED, OK, TROUBLE, errors
from local.cli.quarantine import quarantine
from local.cli.services import down, status, up

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keystone Nexus: a lakehouse that accounts for every acknowledged event.",
)
for command in (demo, up, down, status, doctor, send, load, model, where, extras, query, report):
    app.command()(command)
app.add_typer(ledger, name="ledger")
app.add_typer(quarantine, name="quarantine")


@app.callback(no_args_is_help=True)
def settings(
    context: typer.Context,
    lake: Annotated[Path | None, typer.Option(help="Folder of the lake; NEXUS_LAKE, else .nexus.")] = None,
) -> None:
    """Keystone Nexus: a lakehouse that accounts for every acknowledged event."""
    context.obj = make_call(lake)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; troubles become one message and an exit code, never a traceback."""
    try:
        app(args=arguments, prog_name="nexus")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else OK
        if code == INTERRUPTED:
            errors.print("Interrupted. Nothing acknowledged is lost; the same command goes on.")
        return code
    except NexusError as error:
        errors.print(f"[red]nexus:[/] {escape(str(error))}")
    except OSError as error:
        errors.print(f"[red]nexus:[/] {escape(_os_message(error))}")
    return TROUBLE


def _os_message(error: OSError) -> str:
    place = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"The disk is full{place}: free some space and run the same command again."
    return f"{error.strerror or error}{place}"
