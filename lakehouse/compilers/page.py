"""Contract → its page in the docs, and the list of all pages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lakehouse.catalog import Condition, Entity, Field
from lakehouse.compilers.lock import silver_name
from lakehouse.compilers.rule_targets import TARGETS, Said, rules_said
from lakehouse.rules.registry import columns_of

FOLDER = "docs/entities"
RULES = "docs/generated/rules.md"
_NOTE = "<!-- Generated from the contracts by `make generate`. Do not edit. -->"
_WIRE = {"text": "string", "int64": "int64"}
_SENDS = {
    "stream": "as events over gRPC; files of it can be loaded too",
    "batch": "mostly as files; events of it are taken too",
}


def page_files(entities: Iterable[Entity]) -> dict[str, str]:
    """Path in the repository → text of every page."""
    known = sorted(entities, key=lambda e: e.name)
    return {
        f"{FOLDER}/README.md": index(known),
        RULES: rules_page(known),
        **{f"{FOLDER}/{e.name}.md": page(e) for e in known},
    }


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
    rules = rules_said(entity)
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
            *_table(
                ["rule", "column", "severity", "since", "what it says of a row that breaks it"],
                [_rule_row(said) for said in rules],
            ),
            "",
            'Which target says a rule too; what a "no" means stands in [all of them](../generated/rules.md#reasons).',
            "",
            *_table(["rule", *TARGETS], [_target_row(said) for said in rules]),
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


def _rule_row(said: Said) -> list[str]:
    rule = said.concern.rule
    versions = f"{said.since}, only {', '.join(said.concern.only)}" if said.concern.only else said.since
    columns = ", ".join(
        f"`{name}`" for name in sorted(columns_of(rule), key=lambda name: name != rule.column)
    )
    return [f"`{rule.id}`", columns, rule.severity, versions, rule.text + _condition(rule.when)]


def _condition(when: Condition | None) -> str:
    if when is None:
        return ""
    if when.absent:
        has = "is missing"
    elif when.values is not None:
        has = f"is {' or '.join(when.values)}"
    elif when.pattern is not None:
        has = f"matches `{when.pattern}`"
    elif when.bounds is not None:
        has = f"is {' and '.join(_bounds(when.bounds))}"
    else:
        has = "is there"
    return f" (where `{when.column}` {has})"


def _bounds(bounds: Mapping[str, Any]) -> Iterator[str]:
    for side, strictly, else_ in (("min", "above", "at least"), ("max", "below", "at most")):
        if side in bounds:
            yield f"{strictly if bounds.get(f'strict_{side}') else else_} {bounds[side]}"


def _target_row(said: Said) -> list[str]:
    return [f"`{said.concern.rule.id}`", *("no" if target in said.reasons else "yes" for target in TARGETS)]


def rules_page(entities: Iterable[Entity]) -> str:
    """Of every rule and target: yes, or the number of the reason why it is not expressible there."""
    said = [(entity.name, rule) for entity in entities for rule in rules_said(entity)]
    reasons = list(dict.fromkeys(reason.reason for _, rule in said for reason in rule.reasons.values()))
    counted = [[t, *(str(n) for n in _counts(t, [rule for _, rule in said]))] for t in TARGETS]
    rows = [
        [f"[{name}](../entities/{name}.md)", f"`{rule.concern.rule.id}`", rule.concern.rule.kind]
        + [
            f"no: {reasons.index(rule.reasons[t].reason) + 1}" if t in rule.reasons else "yes"
            for t in TARGETS
        ]
        for name, rule in said
    ]
    return "\n".join(
        [
            "# What each target says of the rules",
            "",
            _NOTE,
            "",
            "The check hop judges every row by every rule. What the other targets can say with the same meaning is",
            "compiled for them too, for Great Expectations and dbt over Silver. A rule that a compiler neither",
            "translates nor lists as not expressible makes `make generate` fail.",
            "",
            "`nexus model --contracts` runs the tests of dbt over all of Silver; the daily build leaves them out, as",
            "the check hop has judged each row. The suites in `expectations/` are for pandas: text, whole numbers and",
            "decimals as Python's objects, moments as UTC, missing values as null. Great Expectations drops what it",
            "does not know with a line in its log: compare the length of what you loaded with `meta.expectations`.",
            "",
            *_table(["target", "says", "not expressible"], counted),
            "",
            "## Reasons",
            "",
            *(f"{number}. Not expressible: {reason}." for number, reason in enumerate(reasons, 1)),
            "",
            "## Rules",
            "",
            *_table(["entity", "rule", "kind", *TARGETS], rows),
            "",
        ]
    )


def _counts(target: str, rules: Sequence[Said]) -> tuple[int, int]:
    missing = sum(target in rule.reasons for rule in rules)
    return len(rules) - missing, missing


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(head), "|" + "---|" * len(head), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
