"""Contract → its page in the docs, and the list of all pages."""

from collections.abc import Iterable, Sequence

from lakehouse.catalog import Entity, Field, Rule
from lakehouse.compilers.lock import silver_name

FOLDER = "docs/entities"
_NOTE = "<!-- Generated from the contracts by `make generate`. Do not edit. -->"
_WIRE = {"text": "string", "int64": "int64"}
_SENDS = {
    "stream": "as events over gRPC; files of it can be loaded too",
    "batch": "mostly as files; events of it are taken too",
}


def page_files(entities: Iterable[Entity]) -> dict[str, str]:
    """Path in the repository → text of every page."""
    known = sorted(entities, key=lambda e: e.name)
    return {f"{FOLDER}/README.md": index(known), **{f"{FOLDER}/{e.name}.md": page(e) for e in known}}


def index(entities: Iterable[Entity]) -> str:
    """The list of all entities."""
    rows = [
        [f"[{e.name}]({e.name}.md)", e.version, _key(e), str(len(e.fields)), str(len(e.rules)), e.description]
        for e in entities
    ]
    head = ["entity", "version", "key", "columns", "rules", "what it holds"]
    return "\n".join(["# Entities", "", _NOTE, "", *_table(head, rows), ""])


def page(entity: Entity) -> str:
    """Everything that a sender or a reader of an entity asks for."""
    former = ", ".join(version.version for version in entity.former)
    facts = [
        [
            "contract",
            f"[{entity.name}.yaml](../../lakehouse/contracts/{entity.name}.yaml), version {entity.version}",
        ],
        ["versions still taken", former or "no earlier ones"],
        ["grain", entity.grain],
        ["key", _key(entity)],
        ["arrives", _SENDS[entity.delivery]],
        [
            "message",
            f"`nexus.v1.{entity.message}` in [{entity.name}.proto]"
            f"(../../grpc_ingest/proto/nexus/v1/{entity.name}.proto), field `{entity.name}` of the API's `Event`",
        ],
        ["topic and registry schema", f"`{entity.topic}`"],
        ["Silver", f"`{entity.name}/v{entity.major}/year=…/month=…/day=…/`"],
        ["dbt", f"`source('silver', '{entity.name}')`, `ref('stg_{entity.name}')`"],
    ]
    columns = [_column_row(field, entity) for field in sorted(entity.fields, key=lambda f: f.number)]
    rules = [_rule_row(rule) for rule in entity.rules]
    return "\n".join(
        [
            f"# {entity.name}",
            "",
            _NOTE,
            "",
            entity.description,
            "",
            *_table(["", ""], facts),
            "",
            "## Columns",
            "",
            "Besides these every event has its envelope: [your own shop](../your-own-shop.md#the-envelope).",
            "",
            *_table(["no.", "column", "sent as", "in Silver", "required", "what it means"], columns),
            "",
            "## Rules",
            "",
            "`error` sends a row to Quarantine with what is said here, `warn` lets it pass marked.",
            "",
            *_table(["rule", "column", "severity", "what it says of a row that breaks it"], rules),
            "",
        ]
    )


def _key(entity: Entity) -> str:
    return ", ".join(f"`{name}`" for name in entity.key) or "none: exact copies are real"


def _column_row(field: Field, entity: Entity) -> list[str]:
    since = next(v.version for v in entity.versions if any(f.name == field.name for f in v.fields))
    notes = [
        field.description,
        *(["Personal data."] if field.personal else []),
        *([f"Since {since}."] if since != entity.versions[0].version else []),
    ]
    needed = "yes" if field.required or field.key_position is not None else ""
    return [
        str(field.number),
        f"`{field.name}`",
        _WIRE[field.wire],
        silver_name(field),
        needed,
        " ".join(notes),
    ]


def _rule_row(rule: Rule) -> list[str]:
    when = ""
    if rule.when is not None:
        has = "is there" if rule.when.values is None else f"is {' or '.join(rule.when.values)}"
        when = f" (where `{rule.when.column}` {has})"
    return [f"`{rule.id}`", f"`{rule.column}`", rule.severity, rule.text + when]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(head), "|" + "---|" * len(head), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
