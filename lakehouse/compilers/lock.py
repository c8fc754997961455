"""What was released of a contract: committed beside it, kept for the whole of a major version, never given anew.

Field numbers, wire and Silver types, the message's name, the key, and the versions there were.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lakehouse.catalog import Entity, Field, Kind, WireType, version_order
from lakehouse.contract import Column, Contract
from lakehouse.errors import ContractError
from lakehouse.wire import FIRST_COLUMN_NUMBER

_TAKE_BACK = "Take the lock file back from the last release: numbers are given once and by `make generate`."
_COLUMNS_STAY = (
    "Released columns stay within a major version: put it back (it need not be required), "
    "or raise the major version."
)


def extend_lock(contract: Contract, lock: Mapping[str, Any] | None) -> dict[str, Any]:
    """The lock with a number for every column of the contract, and with its version.

    Known columns keep theirs, new ones take the next free. A new major version has a topic of its own and starts anew.
    ContractError when a released column is gone or changed its wire or Silver type, when the message changed its name
    or the entity its key, or when the lock gives a number twice.
    """
    released = _released(contract, lock)
    file = contract.file
    if released["message"] != contract.message:
        raise ContractError(
            file,
            "customProperties message",
            f"was released as {released['message']} and is now {contract.message}",
            "Keep the released name, or raise the major version.",
        )
    key = _key_of(contract)
    if released.get("key", key) != key:
        raise ContractError(
            file,
            "primaryKey",
            f"was released as {_listed(released['key'])} and is now {_listed(key)}",
            "What identifies a row never changes within a major version: keep it, or raise the major version.",
        )
    fields: dict[str, dict[str, Any]] = {name: dict(known) for name, known in released["fields"].items()}
    _require_own_numbers(file, fields)
    names = {column.name for column in contract.columns}
    gone = [name for name in fields if name not in names]
    if gone:
        raise ContractError(file, f"property {gone[0]}", "was released and is gone", _COLUMNS_STAY)
    following = max([FIRST_COLUMN_NUMBER - 1, *(f["number"] for f in fields.values())]) + 1
    for column in contract.columns:
        if column.name not in fields:
            fields[column.name] = {"number": following, "wire": _wire(column), "silver": silver_name(column)}
            following += 1
        else:
            _require_same_type(file, column, fields[column.name])
    versions = sorted({*released.get("versions", []), contract.version}, key=version_order)
    return {
        "message": contract.message,
        "major": _major(contract),
        "versions": versions,
        "key": key,
        "fields": fields,
    }


def require_released_numbers(
    contract: Contract, lock: Mapping[str, Any], documents: Iterable[Entity]
) -> None:
    """ContractError when the lock gives a column another number or type than a compiled document of the same major.

    The documents are the second record of what was released: a lock file that was edited by hand, lost or merged
    wrongly is found here before a number means two things.
    """
    file = lock_file(contract)
    for document in documents:
        if document.major != lock["major"]:
            continue
        for field in document.fields:
            given = lock["fields"].get(field.name, {"number": "none"})
            if given["number"] != field.number:
                holder = next((n for n, f in lock["fields"].items() if f["number"] == field.number), "nobody")
                raise ContractError(
                    file,
                    field.name,
                    f"was released in {document.version} with the number {field.number} and has {given['number']} now; "
                    f"{field.number} is {holder}'s",
                    f"A released number is never given again. {_TAKE_BACK}",
                )
            if (given["wire"], given["silver"]) != (_wire(field), silver_name(field)):
                raise ContractError(
                    file,
                    field.name,
                    f"was released in {document.version} as {silver_name(field)} and is {given['silver']} now",
                    _TAKE_BACK,
                )


def lock_file(contract: Contract) -> str:
    """Name of the contract's lock file."""
    return contract.file.replace(".yaml", ".lock.json")


def silver_name(column: Column | Field) -> str:
    """A Silver type in a word, as the lock spells it."""
    if column.kind is Kind.DECIMAL:
        return f"decimal({column.precision},{column.scale})"
    return column.kind.value


def lock_to_text(lock: Mapping[str, Any]) -> str:
    """The lock file's text."""
    return json.dumps(lock, indent=2) + "\n"


def _released(contract: Contract, lock: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What binds this contract: the lock of its major version, or nothing yet."""
    major = _major(contract)
    if lock is not None and lock["major"] > major:
        raise ContractError(
            contract.file,
            "version",
            f"{contract.version} is older than the released major {lock['major']}",
            "Raise it.",
        )
    if lock is not None and lock["major"] == major:
        return lock
    return {"message": contract.message, "fields": {}}


def _require_same_type(file: str, column: Column, known: Mapping[str, Any]) -> None:
    if (known["wire"], known["silver"]) != (_wire(column), silver_name(column)):
        raise ContractError(
            file,
            f"property {column.name}",
            f"was released as {known['silver']} and is now {silver_name(column)}",
            "Released types never change within a major version: add a column, or raise the major version.",
        )


def _require_own_numbers(file: str, fields: Mapping[str, Mapping[str, Any]]) -> None:
    names: dict[int, str] = {}
    for name, known in fields.items():
        number = known["number"]
        if number < FIRST_COLUMN_NUMBER or number in names:
            raise ContractError(
                file.replace(".yaml", ".lock.json"),
                name,
                f"has the number {number}, which is {names.get(number, 'the envelope')}'s",
                _TAKE_BACK,
            )
        names[number] = name


def _key_of(contract: Contract) -> list[str]:
    keyed = [c for c in contract.columns if c.key_position is not None]
    return [c.name for c in sorted(keyed, key=lambda c: c.key_position or 0)]


def _listed(names: list[str]) -> str:
    return f"({', '.join(names)})" if names else "none"


def _wire(column: Column | Field) -> str:
    return (WireType.INT64 if column.kind is Kind.INT64 else WireType.TEXT).value


def _major(contract: Contract) -> int:
    return int(contract.version.split(".")[0])
