"""Says in words what is wrong with a row of Quarantine, what its rules ask for, and what a person can do about it."""

from collections.abc import Iterator, Mapping
from typing import Any

from lakehouse.catalog import Entity, Rule
from lakehouse.envelope import UNDECODABLE, envelope_rules
from local.quarantine import HeldRow

_MEND_ROW = (
    "If the row is wrong: write it to a file (`nexus quarantine show --entity {entity} --event {event} --csv "
    "rows.csv`), correct it there, and look with `nexus quarantine preview --entity {entity} --edits rows.csv`."
)
_MEND_RULE = (
    "If the rule is wrong: mend {place}, run `make generate`, look with `nexus quarantine preview --entity {entity} "
    "--rule {rule}`, and deploy (here: `nexus down`, `nexus up`)."
)
_ENVELOPE = "The rule holds for every event of every entity: what is wrong is what the sender says of the event itself."
_UNDECODABLE = (
    "Its bytes could not be read, so none of its columns is known. Who knows what was meant gives all of its columns, "
    "and occurred_at and source, in a file of edits with its position. Its bytes are kept in `raw`."
)
_WHOLE = (
    "This one row stands for a whole Bronze object that could not be read. When the check hop has learnt to read it, "
    "`nexus quarantine replay --entity {entity} --object {object}` reads it again. Else ask for the data once more: "
    "the file under a new name, or the events sent again."
)


def rule_named(entity: Entity, rule: str, version: str = "") -> Rule | None:
    """The rule of a contract version (of the newest that has it), or of the envelope; None when there is none."""
    for one in reversed(entity.versions):
        for found in one.rules:
            if found.id == rule and version in ("", one.version):
                return found
    return next((found for found, _ in envelope_rules(entity) if found.id == rule), None)


def definition(rule: Rule) -> str:
    """Its kind and what it is given, such as `between(min=1, max=5) on review_score`."""
    given = ", ".join(f"{name}={_plain(value)}" for name, value in rule.args.items())
    when = ""
    if rule.when is not None:
        told = getattr(rule.when, "values", None)
        when = f", where {rule.when.column} is {' or '.join(told) if told else 'given'}"
    return f"{rule.kind}({given}) on {rule.column}{when}"


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_plain(v)}" for k, v in value.items()) + "}"
    return str(value)


def explain_rule(entity: Entity, rule: str) -> list[str]:
    """Lines about a rule."""
    found = rule_named(entity, rule)
    if found is None:
        return remedies(entity, rule, bronze_key="KEY")
    return [
        found.text,
        f"It asks for {definition(found)}; severity {found.severity}.",
        *remedies(entity, rule),
    ]


def explain_row(entity: Entity, row: HeldRow) -> Iterator[str]:
    """Lines about a row: each reason with its value and what its rule asks for, then what can be done."""
    for reason in row.reasons:
        value = "" if reason.value is None else f" It says {reason.value!r}."
        yield f"{reason.message}{value}"
        found = rule_named(entity, reason.rule, row.judged_by) or rule_named(entity, reason.rule)
        if found is not None:
            yield f"  Rule {reason.rule} asks for {definition(found)}."
        elif reason.rule != UNDECODABLE and not reason.rule.isupper():
            yield f"  Rule {reason.rule} is in no contract any more."
    said: list[str] = []
    for reason in row.reasons:
        for remedy in remedies(entity, reason.rule, row.event_id, row.bronze_key, row.judged_by):
            if remedy not in said:
                said.append(remedy)
                yield remedy


def remedies(
    entity: Entity, rule: str, event: str = "EVENT_ID", bronze_key: str = "", version: str = ""
) -> list[str]:
    """What a person can do about rows that break a rule."""
    names = {"entity": entity.name, "event": event, "rule": rule, "object": bronze_key}
    if rule == UNDECODABLE:
        return [_UNDECODABLE]
    if rule.isupper():
        return [_WHOLE.format(**names)]
    of_contract = any(found.id == rule for one in entity.versions for found in one.rules)
    if not of_contract:
        return (
            [_MEND_ROW.format(**names), _ENVELOPE]
            if rule_named(entity, rule)
            else [
                f"No contract has it any more. `nexus quarantine preview --entity {entity.name} --rule {rule}` "
                "judges its rows by the rules of now; `replay` moves those that pass."
            ]
        )
    newest = version in ("", entity.version)
    place = (
        f"`lakehouse/contracts/{entity.name}.yaml`"
        if newest
        else f"`lakehouse/compiled/former/{entity.name}-{version}.json`, for rows of version {version}"
    )
    return [_MEND_ROW.format(**names), _MEND_RULE.format(place=place, **names)]
