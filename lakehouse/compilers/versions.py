"""The versions that a contract had before: their compiled documents, kept so that their rows can still be judged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lakehouse.catalog import Entity, version_order
from lakehouse.compilers.lock import silver_name
from lakehouse.compilers.plan import rules_hash
from lakehouse.contract import Contract
from lakehouse.errors import ContractError


def former_versions(contract: Contract, lock: Mapping[str, Any], documents: Iterable[Entity]) -> list[Entity]:
    """The documents of all versions but the contract's own, oldest first, to be written as they are given back.

    Args:
        lock: already extended by this contract.
        documents: what was compiled of this entity until now; the last run's document among them.

    A version whose document is the last run's becomes a former one when the contract's version is raised. Rules of
    former documents may be mended by hand: their hash is computed anew. ContractError when the contract's version is
    older than one there was, has other columns than it was compiled with, or when a version's document is lost.
    """
    known = {document.version: document for document in documents}
    newest = max(known, key=version_order, default=contract.version)
    if version_order(newest) > version_order(contract.version):
        raise ContractError(
            contract.file,
            "version",
            f"{contract.version} is older than {newest}, which was compiled already",
            f"Raise it. {_undo(contract, newest)}",
        )
    _require_same_columns(contract, known.pop(contract.version, None))
    lost = [v for v in lock["versions"] if v != contract.version and v not in known]
    if lost:
        raise ContractError(
            contract.file,
            "version",
            f"{lost[0]} was released, and what it was compiled to is lost",
            f"Take lakehouse/compiled/former/{contract.name}-{lost[0]}.json back from the last release: rows of that "
            "version are judged by it.",
        )
    return [_rehashed(known[version]) for version in sorted(known, key=version_order)]


def _require_same_columns(contract: Contract, compiled: Entity | None) -> None:
    """A version's columns are what its clients were compiled with: other columns are another version."""
    if compiled is None:
        return
    before, now = _columns(compiled.fields), _columns(contract.columns)
    if before != now:
        new = ", ".join(sorted(now - before))
        raise ContractError(
            contract.file,
            "version",
            f"{contract.version} was compiled without {new}",
            f"Raise the version, such as {_next_minor(contract.version)}. {_undo(contract, contract.version)}",
        )


def _columns(columns: Sequence[Any]) -> set[str]:
    return {f"{column.name} ({silver_name(column)})" for column in columns}


def _next_minor(version: str) -> str:
    major, minor, _ = version_order(version)
    return f"{major}.{minor + 1}.0"


def _undo(contract: Contract, version: str) -> str:
    return (
        f"If {version} was never released, take back {contract.name}.lock.json and lakehouse/compiled/"
        f"{contract.name}.json as they were before it (remove them if they are new), and generate again."
    )


def _rehashed(document: Entity) -> Entity:
    return replace(document, rules_hash=rules_hash(document.version, document.fields, document.rules))
