"""The naive check: one row at a time, one rule at a time, in plain Python. Slow and meant to be read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from lakehouse.catalog import Condition, Entity, Field, Kind, Rule
from lakehouse.grammar import parse_value

Row = Mapping[str, Any]
Reason = tuple[str, str | None, str | None, str]

_DAY_US = 24 * 3600 * 1_000_000
_EPOCH = date(1970, 1, 1)
_FIRST_US = (date(1, 1, 1) - _EPOCH).days * _DAY_US
_END_US = ((date(9999, 12, 31) - _EPOCH).days + 1) * _DAY_US


@dataclass(frozen=True)
class RowVerdict:
    """`reasons` (rule, column, value, message) are empty when the row passes; `values` are those of Silver."""

    reasons: list[Reason]
    warnings: list[str]
    values: dict[str, Any]


def judge_row(entity: Entity, row: Row) -> RowVerdict:
    """The verdict on one Bronze row."""
    if row["raw"] is not None or row["raw_reason"] is not None:
        message = "The message could not be decoded." if row["raw_reason"] is None else row["raw_reason"]
        return RowVerdict([("UNDECODABLE", None, None, message)], [], {})
    values = {f.name: _silver_value(f, row.get(f.name)) for f in entity.fields}
    reasons = [(rule, column, _text(row[column]), text) for rule, column, text in _envelope(entity, row)]
    warnings = []
    for rule in _rules_for(entity, row):
        if _concerns(entity, rule, row) and not _holds(entity, rule, row):
            if rule.severity == "warn":
                warnings.append(rule.id)
            else:
                reasons.append((rule.id, rule.column, _text(row.get(rule.column)), rule.text))
    return RowVerdict(reasons, warnings, values)


def _rules_for(entity: Entity, row: Row) -> list[Rule]:
    """Those of the row's own version (the newest's for an unknown one), in the order in which the newest versions
    have them.
    """
    own = {version.version: version.rules for version in entity.versions}.get(
        row["contract_version"], entity.rules
    )
    ordered: list[Rule] = []
    for version in reversed(entity.versions):
        ordered += [rule for rule in version.rules if rule not in ordered]
    return [rule for rule in ordered if rule in own]


def _envelope(entity: Entity, row: Row) -> list[tuple[str, str, str]]:
    found = []

    def broken(rule: str, column: str, text: str) -> None:
        found.append((rule, column, text))

    occurred, broker = row["occurred_at"], row["broker_time"]
    if not row["event_id"]:
        broken("event_id_present", "event_id", "The event has no id.")
    if occurred is None:
        broken("occurred_at_present", "occurred_at", "The event does not say when it occurred.")
    elif not _within_calendar(occurred):
        broken("occurred_at_readable", "occurred_at", "The moment is outside the years 1 to 9999.")
    if not _within_calendar(broker * 1000):
        broken("broker_time_readable", "broker_time", "The arrival is outside the years 1 to 9999.")
    if not row["source"]:
        broken("source_present", "source", "The event does not say where it comes from.")
    if row["op"] not in (None, "", "upsert", "delete"):
        broken("op_known", "op", "The operation is neither upsert nor delete.")
    if occurred is not None and occurred > broker * 1000 + _DAY_US:
        text = "The event claims to have occurred more than 24 hours after it arrived."
        broken("occurred_at_not_in_future", "occurred_at", text)
    if row["contract_version"] not in [version.version for version in entity.versions]:
        text = "The event was written with a contract version that is not known here."
        broken("contract_version_known", "contract_version", text)
    return found


def _within_calendar(microseconds: int) -> bool:
    return _FIRST_US <= microseconds < _END_US


def _concerns(entity: Entity, rule: Rule, row: Row) -> bool:
    if row["op"] == "delete":
        columns = {rule.column, rule.args.get("other", rule.column)} | (
            {rule.when.column} if rule.when else set()
        )
        if not columns <= set(entity.key):
            return False
    return rule.when is None or _applies(rule.when, row)


def _applies(when: Condition, row: Row) -> bool:
    text = _text(row.get(when.column))
    if not text:
        return False
    return when.values is None or text in when.values


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _silver_value(field: Field, value: Any) -> Any:
    text = _text(value)
    return parse_value(field.kind, text, field.precision, field.scale) if text else None


def _holds(entity: Entity, rule: Rule, row: Row) -> bool:
    field = entity.field(rule.column)
    text, value = _text(row.get(rule.column)), _silver_value(field, row.get(rule.column))
    if rule.kind == "not_null":
        return bool(text)
    if not text:
        return True
    if rule.kind == "castable":
        return value is not None
    if value is None:
        return True
    match rule.kind:
        case "regex":
            return re.fullmatch(rule.args["pattern"], value) is not None
        case "not_regex":
            return re.fullmatch(rule.args["pattern"], value) is None
        case "in_set":
            return value in rule.args["values"]
        case "not_in_set":
            return value not in rule.args["values"]
        case "between":
            return _is_between(rule, field, value)
        case "length":
            return rule.args.get("min", 0) <= len(value) <= rule.args.get("max", len(value))
        case "compare":
            other = _silver_value(entity.field(rule.args["other"]), row.get(rule.args["other"]))
            return other is None or _compares(rule.args["operator"], value, other)
    raise AssertionError(f"the oracle does not know {rule.kind}")


def _is_between(rule: Rule, field: Field, value: Any) -> bool:
    args = rule.args
    if "min" in args:
        least: Any = parse_value(field.kind, args["min"], field.precision, field.scale)
        if value < least or (args.get("strict_min") and value == least):
            return False
    if "max" in args:
        most: Any = parse_value(field.kind, args["max"], field.precision, field.scale)
        if value > most or (args.get("strict_max") and value == most):
            return False
    return True


def _compares(operator: str, value: Any, other: Any) -> bool:
    answers = {
        "<": value < other,
        "<=": value <= other,
        "=": value == other,
        "!=": value != other,
        ">": value > other,
        ">=": value >= other,
    }
    return bool(answers[operator])


def quantized(field: Field, value: Any) -> Any:
    """The value as Arrow gives it back: decimals with all their places."""
    if field.kind is Kind.DECIMAL and value is not None:
        return value.quantize(Decimal(1).scaleb(-field.scale))
    return value
