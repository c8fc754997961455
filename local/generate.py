"""Writes everything that is compiled from the contracts: `python -m local.generate [root] [--check]`.

The output is committed. With --check nothing is written and a stale file is named.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse.catalog import Entity, entity_from_json, with_former
from lakehouse.compilers import dbt, expectations, lock, page, plan, proto, versions
from lakehouse.contract import Contract, parse_contract
from lakehouse.errors import ContractError, NexusError

CONTRACTS = Path("lakehouse/contracts")
COMPILED = Path("lakehouse/compiled")
FORMER = COMPILED / "former"
PROTO = Path("grpc_ingest/proto/nexus/v1")
EVENT_TAGS = CONTRACTS / "events.lock.json"
# Files that nothing but this program writes: one that no contract gives any more is removed.
_WHOLLY_OURS = (
    (COMPILED, "*.json"),
    (PROTO, "*.proto"),
    (Path("dbt/models/staging/generated"), "*"),
    (Path(page.FOLDER), "*.md"),
    (Path(expectations.FOLDER), "*.json"),
)


def read_contracts(root: Path) -> list[Contract]:
    """Every contract of a tree, by name."""
    files = sorted((root / CONTRACTS).glob("*.yaml"))
    return [parse_contract(f.name, f.read_text("utf-8")) for f in files]


def compile_tree(root: Path) -> dict[Path, str]:
    """Path below the root → text of every generated file but the protobuf Python code."""
    written: dict[Path, str] = {}
    entities: list[Entity] = []
    contracts = read_contracts(root)
    tags = extend_tags(_read_json(root / EVENT_TAGS) or {}, contracts)
    for contract in contracts:
        entity, files = _compile_contract(root, contract, tags[contract.name])
        entities.append(entity)
        written |= files
    written[EVENT_TAGS] = json.dumps(tags, indent=2) + "\n"
    written[Path("grpc_ingest/proto/nexus/ingest/v1/events.proto")] = proto.events_definition(entities)
    written |= {Path("dbt") / name: text for name, text in dbt.model_files(entities).items()}
    written |= {Path(name): text for name, text in expectations.suite_files(entities).items()}
    written |= {Path(name): text for name, text in page.page_files(entities).items()}
    return written


def _compile_contract(root: Path, contract: Contract, tag: int) -> tuple[Entity, dict[Path, str]]:
    """The entity with its former versions, and the files that are its own."""
    lock_path = CONTRACTS / f"{contract.name}.lock.json"
    documents = _read_documents(root, contract.name)
    locked = lock.extend_lock(contract, _read_json(root / lock_path))
    lock.require_released_numbers(contract, locked, documents)
    former = versions.former_versions(contract, locked, documents)
    entity = plan.compile_entity(contract, locked, tag)
    return with_former(entity, former), {
        lock_path: lock.lock_to_text(locked),
        COMPILED / f"{entity.name}.json": plan.entity_to_json(entity),
        **{FORMER / f"{one.name}-{one.version}.json": plan.entity_to_json(one) for one in former},
        PROTO / f"{entity.name}.proto": entity.definition,
    }


def _read_documents(root: Path, entity: str) -> list[Entity]:
    """What was compiled of an entity until now: its former versions, then the last run's."""
    files = [*sorted((root / FORMER).glob(f"{entity}-*.json")), root / COMPILED / f"{entity}.json"]
    return [entity_from_json(_read_json(file)) for file in files if file.exists()]


def extend_tags(released: Mapping[str, int], contracts: list[Contract]) -> dict[str, int]:
    """Number of each entity in the events' oneof: released once, never reused."""
    if len(set(released.values())) != len(released):
        raise ContractError(
            EVENT_TAGS.name,
            "file",
            "gives two entities the same number",
            "Take the file back from the last release: numbers are given once and by `make generate`.",
        )
    tags = dict(released)
    for contract in contracts:
        tags.setdefault(contract.name, max([0, *tags.values()]) + 1)
    return tags


def main(arguments: list[str]) -> int:
    """0 when all is written (or, with --check, fresh); 1 names what is stale; 2 a contract is wrong."""
    root = Path(next((a for a in arguments if not a.startswith("--")), "."))
    try:
        written = compile_tree(root)
    except NexusError as error:
        print(error, file=sys.stderr)
        return 2
    stale = [path for path, text in written.items() if _read_text(root / path) != text]
    orphans = sorted(_orphans(root, written))
    if "--check" in arguments:
        for path in [*stale, *orphans]:
            print(f"{path} is not what the contracts say: run `make generate`", file=sys.stderr)
        return 1 if stale or orphans else 0
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(written[path], "utf-8")
        print(f"wrote {path}")
    for path in orphans:
        (root / path).unlink()
        print(f"removed {path}")
    return 0


def _orphans(root: Path, written: Mapping[Path, str]) -> set[Path]:
    there = {
        file.relative_to(root)
        for folder, pattern in _WHOLLY_OURS
        for file in (root / folder).glob(pattern)
        if file.is_file()
    }
    return there - written.keys()


def _read_text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def _read_json(path: Path) -> Any:
    text = _read_text(path)
    return None if text is None else json.loads(text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
