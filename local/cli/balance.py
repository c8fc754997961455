"""Prints the balance: rows by entity, offsets by log, and what is void."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from lakehouse.balance import Balance, PositionBalance, VoidRange
from local.cli.output import console, table


def print_balance(balances: Mapping[str, Balance], total: Balance, closed: bool) -> None:
    """The balance per entity and in all, and whether it is closed."""
    rows: list[list[Any]] = [_balance_row(name, b) for name, b in balances.items()]
    rows.append(_balance_row("all", total))
    columns = ["entity", "Bronze", "Silver", "Quarantine", "erased", "unchecked", "balance"]
    if not total.erased.rows:
        columns.remove("erased")
        rows = [[*row[:4], *row[5:]] for row in rows]
    console.print(table("Balance (rows)", columns, rows, columns[1:-1]))
    if closed:
        console.print(
            "[green]closed[/]: every row and every offset is accounted for, by count and by hash sum\n"
        )
    else:
        console.print("[red]open[/]: see unchecked, balance, and unlanded below\n")


def _balance_row(name: str, balance: Balance) -> list[Any]:
    amounts = (balance.bronze, balance.silver, balance.quarantine, balance.erased, balance.unchecked)
    return [name, *(a.rows for a in amounts), _difference(balance)]


def _difference(balance: Balance) -> Text:
    difference = balance.difference
    if difference.rows:
        return Text(f"off by {difference.rows:,}", style="red")
    if difference.hash_sum:
        return Text("hash sums differ", style="red")
    return Text("closed", style="green") if balance.closed else Text("waiting", style="yellow")


def balance_json(balance: Balance) -> dict[str, Any]:
    """For `--json`."""
    return asdict(balance) | {"difference": asdict(balance.difference), "closed": balance.closed}


def print_positions(positions: Sequence[PositionBalance]) -> None:
    """One line per log and topic: partitions add up."""
    logs: dict[tuple[str, str], list[PositionBalance]] = {}
    for position in positions:
        logs.setdefault((position.log, position.topic), []).append(position)
    rows = [
        (log, topic, *(sum(getattr(p, n) for p in group) for n in ("end", "landed", "void", "unlanded")))
        for (log, topic), group in logs.items()
    ]
    columns = ["log", "topic", "given out", "landed", "void", "unlanded"]
    console.print(table("Positions (offsets)", columns, rows, columns[2:]))


def print_voids(voids: Sequence[VoidRange]) -> None:
    """Every range that will never land, in red, with its reason."""
    for void in voids:
        count = void.end - void.first
        console.print(
            f"[red]void[/] {void.log}/{void.topic}/{void.partition} offsets {void.first:,} to "
            f"{void.end - 1:,} ({count:,}): {void.reason}"
        )
