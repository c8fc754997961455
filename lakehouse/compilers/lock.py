"""Field numbers and wire types of a message, released once: committed beside the contract, never reused."""

import json
from collections.abc import Mapping
from typing import Any

from lakehouse.catalog import Kind, WireType
from lakehouse.contract import Contract
from lakehouse.errors import ContractError
from lakehouse.wire import FIRST_COLUMN_NUMBER


def extend_lock(contract: Contract, lock: Mapping[str, Any] | None) -> dict[str, Any]:
    """The lock with a number for every column of the contract.

    Known columns keep theirs, new ones take the next free; a removed column stays listed so that its number is never
    given again. A new major version has a topic of its own and starts anew. ContractError when a released column
    changed its wire or Silver type, the message its name, or when the lock gives a number twice.
    """
    major = int(contract.version.split(".")[0])
    if lock is not None and lock["major"] > major:
        raise ContractError(
            contract.file,
            "version",
            f"{contract.version} is older than the released major {lock['major']}",
            "Raise it.",
        )
    released = (
        lock if lock is not None and lock["major"] == major else {"message": contract.message, "fields": {}}
    )
    if released["message"] != contract.message:
        raise ContractError(
            contract.file,
            "customProperties message",
            f"was released as {released['message']} and is now {contract.message}",
            "Keep the released name, or raise the major version.",
        )
    fields: dict[str, dict[str, Any]] = {name: dict(known) for name, known in released["fields"].items()}
    _require_own_numbers(contract.file, fields)
    following = max([FIRST_COLUMN_NUMBER - 1, *(f["number"] for f in fields.values())]) + 1
    for column in contract.columns:
        wire = WireType.INT64 if column.kind is Kind.INT64 else WireType.TEXT
        silver = (
            f"decimal({column.precision},{column.scale})"
            if column.kind is Kind.DECIMAL
            else column.kind.value
        )
        known = fields.get(column.name)
        if known is None:
            fields[column.name] = {"number": following, "wire": wire.value, "silver": silver}
            following += 1
        elif (known["wire"], known["silver"]) != (wire.value, silver):
            raise ContractError(
                contract.file,
                f"property {column.name}",
                f"was released as {known['silver']} and is now {silver}",
                "Released types never change within a major version: add a column, or raise the major version.",
            )
    return {"message": contract.message, "major": major, "fields": fields}


def _require_own_numbers(file: str, fields: Mapping[str, Mapping[str, Any]]) -> None:
    names: dict[int, str] = {}
    for name, known in fields.items():
        number = known["number"]
        if number < FIRST_COLUMN_NUMBER or number in names:
            raise ContractError(
                file.replace(".yaml", ".lock.json"),
                name,
                f"has the number {number}, which is {names.get(number, 'the envelope')}'s",
                "Take the lock file back from the last release: numbers are given once and by `make generate`.",
            )
        names[number] = name


def lock_to_text(lock: Mapping[str, Any]) -> str:
    """The lock file's text."""
    return json.dumps(lock, indent=2) + "\n"
