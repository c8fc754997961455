"""The naive check: one row at a time, one rule at a time, in plain Python. Slow and meant to be read."""

import calendar
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, NoReturn

from lakehouse.catalog import Condition, Entity, Field, Kind, Rule
from lakehouse.grammar import parse_value
from tests.oracle_custom import CUSTOM

Row = Mapping[str, Any]
Reason = tuple[str, str | None, str | None, str]

_DAY_US = 24 * 3600 * 1_000_000
_EPOCH = date(1970, 1, 1)
_FIRST_US = (date(1, 1, 1) - _EPOCH).days * _DAY_US
_END_US = ((date(9999, 12, 31) - _EPOCH).days + 1) * _DAY_US

LOAD_KINDS = ("unique", "increasing", "decreasing")
OBJECT_KINDS = ("row_count", "columns_present", "null_share")
# Args that name further columns.
_COLUMN_ARGS = ("other", "columns", "state")


@dataclass(frozen=True)
class RowVerdict:
    """`reasons` (rule, column, value, message) are empty when the row passes; `values` are those of Silver."""

    reasons: list[Reason]
    warnings: list[str]
    values: dict[str, Any]


def judge_rows(entity: Entity, rows: Sequence[Row]) -> list[RowVerdict]:
    """The verdicts on the rows of one Bronze object; on those of a load also by its load and object rules."""
    if not rows or not re.fullmatch("load-[0-9a-f]{16}", rows[0]["pos_log"]):
        return [judge_row(entity, row) for row in rows]
    known = [rule for version in reversed(entity.versions) for rule in version.rules]
    wide = [rule for n, rule in enumerate(known) if _is_wide(rule) and rule not in known[:n]]
    broken: list[list[tuple[Rule, str | None]]] = [[] for _ in rows]
    for rule in wide:
        having = [version.version for version in entity.versions if rule in version.rules]
        places = [
            n
            for n, row in enumerate(rows)
            if _version_of(entity, row) in having and not _is_raw(row) and _concerns(entity, rule, row)
        ]
        if rule.kind in OBJECT_KINDS:
            observed = _wrong_with_object(entity, rule, rows, [rows[n] for n in places])
            if observed is not None:
                for found in broken:
                    found.append((rule, observed))
        else:
            for place in _wrong_among(entity, rule, rows, places):
                broken[place].append((rule, None))
    return [judge_row(entity, row, found) for row, found in zip(rows, broken, strict=True)]


def _is_wide(rule: Rule) -> bool:
    return rule.kind in (*LOAD_KINDS, *OBJECT_KINDS)


def _is_raw(row: Row) -> bool:
    return row["raw"] is not None or row["raw_reason"] is not None


def _wrong_with_object(entity: Entity, rule: Rule, rows: Sequence[Row], about: Sequence[Row]) -> str | None:
    match rule.kind:
        case "row_count":
            count = len(rows if rule.when is None else about)
            good = rule.args.get("min", 0) <= count <= rule.args.get("max", count)
            return None if good else f"{count} rows"
        case "columns_present":
            lacking = [name for name in rule.args["columns"] if name not in rows[0]]
            return f"without {', '.join(lacking)}" if lacking else None
        case _:
            missing = sum(not _text(row.get(rule.column)) for row in about)
            good = Fraction(missing) <= Fraction(rule.args["max"]) * len(about)
            return None if good else f"{missing} of {len(about)} missing"


def _wrong_among(entity: Entity, rule: Rule, rows: Sequence[Row], about: Sequence[int]) -> list[int]:
    """Which of the rows at these places break a load rule."""
    names = rule.args.get("columns", [rule.column])
    keys = {n: tuple(_silver_value(entity.field(name), rows[n].get(name)) for name in names) for n in about}
    whole = [n for n in about if None not in keys[n]]
    if rule.kind == "unique":
        counts = Counter(keys[n] for n in whole)
        return [n for n in whole if counts[keys[n]] > 1]
    strictly = rule.args.get("strictly", False)
    wrong = []
    for before, n in pairwise(whole):
        low, high = keys[before], keys[n]
        if rule.kind == "decreasing":
            low, high = high, low
        if low > high or (strictly and low == high):
            wrong.append(n)
    return wrong


def judge_row(entity: Entity, row: Row, broken: Sequence[tuple[Rule, str | None]] = ()) -> RowVerdict:
    """The verdict on one Bronze row; `broken` are load and object rules that it was found to break."""
    if _is_raw(row):
        message = "The message could not be decoded." if row["raw_reason"] is None else row["raw_reason"]
        return RowVerdict([("UNDECODABLE", None, None, message)], [], {})
    values = {f.name: _silver_value(f, row.get(f.name)) for f in entity.fields}
    reasons: list[Reason] = [
        (id_, name, _text(row[name]), text) for id_, name, text in _envelope(entity, row)
    ]
    warnings = []
    for rule in _rules_for(entity, row):
        value = _text(row.get(rule.column))
        if _is_wide(rule):
            found = [observed for one, observed in broken if one == rule]
            if not found or not _concerns_deletes(entity, rule, row):
                continue
            value = value if found[0] is None else found[0]
        elif not _concerns(entity, rule, row) or _holds(entity, rule, row):
            continue
        if rule.severity == "warn":
            warnings.append(rule.id)
        else:
            reasons.append((rule.id, rule.column or None, value, rule.text))
    return RowVerdict(reasons, warnings, values)


def _version_of(entity: Entity, row: Row) -> str:
    """The row's own version; the newest for an unknown one."""
    known = [version.version for version in entity.versions]
    return row["contract_version"] if row["contract_version"] in known else entity.version


def _rules_for(entity: Entity, row: Row) -> Sequence[Rule]:
    """Those of the row's own version, in the order in which the newest versions have them."""
    if not entity.former:
        return entity.rules
    own = {version.version: version.rules for version in entity.versions}[_version_of(entity, row)]
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
    return _concerns_deletes(entity, rule, row) and (rule.when is None or _applies(entity, rule.when, row))


def _concerns_deletes(entity: Entity, rule: Rule, row: Row) -> bool:
    if row["op"] != "delete":
        return True
    columns = {rule.column} - {""} | ({rule.when.column} if rule.when else set())
    for name in _COLUMN_ARGS:
        value = rule.args.get(name, [])
        columns |= {value} if isinstance(value, str) else set(value)
    return columns <= set(entity.key)


def _applies(entity: Entity, when: Condition, row: Row) -> bool:
    text = _text(row.get(when.column))
    if when.absent or not text:
        return when.absent and not text
    if when.values is not None:
        return text in when.values
    field = entity.field(when.column)
    value = _silver_value(field, row[when.column])
    if when.bounds is not None:
        return value is not None and _is_between(when.bounds, field, value)
    return when.pattern is None or re.fullmatch(when.pattern, text) is not None


def _text(value: Any) -> str | None:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None else str(value)


def _silver_value(field: Field, value: Any) -> Any:
    text = _text(value)
    return parse_value(field.kind, text, field.precision, field.scale) if text else None


def _set_value(field: Field, value: str | int) -> Any:
    return parse_value(field.kind, str(value), field.precision, field.scale)


def _holds(entity: Entity, rule: Rule, row: Row) -> bool:
    field, args = entity.field(rule.column), rule.args
    text, value = _text(row.get(rule.column)), _silver_value(field, row.get(rule.column))

    def value_of(column: str) -> Any:
        return _silver_value(entity.field(column), row.get(column))

    if rule.kind == "not_null":
        return bool(text)
    if rule.kind == "null":
        return not text
    if rule.kind == "distinct":
        values = [found for found in map(value_of, args["columns"]) if found is not None]
        return all(one != two for n, one in enumerate(values) for two in values[:n])
    if not text:
        return True
    if rule.kind == "castable":
        return value is not None
    if value is None:
        return True
    if rule.kind in CUSTOM:
        return CUSTOM[rule.kind](args, value, value_of)
    if rule.kind in _TEXT_KINDS:
        return _text_holds(rule, value)
    return _value_holds(entity, rule, value, value_of)


_TEXT_KINDS = [
    "regex",
    "not_regex",
    "regex_list",
    "not_regex_list",
    "castable_to",
    "format",
    "json",
    "length",
]


def _text_holds(rule: Rule, value: str) -> bool:
    args = rule.args
    match rule.kind:
        case "regex":
            return re.fullmatch(args["pattern"], value) is not None
        case "not_regex":
            return re.fullmatch(args["pattern"], value) is None
        case "regex_list":
            matches = [re.fullmatch(pattern, value) is not None for pattern in args["patterns"]]
            return any(matches) if args["match_on"] == "any" else all(matches)
        case "not_regex_list":
            return not any(re.fullmatch(pattern, value) for pattern in args["patterns"])
        case "castable_to":
            scale = args.get("scale", 0)
            return parse_value(Kind(args["to"]), value, args.get("precision", 0), scale) is not None
        case "format":
            return _has_format(args["format"], value)
        case "json":
            return _is_json(value)
        case _:
            return bool(args.get("min", 0) <= len(value) <= args.get("max", len(value)))


def _value_holds(entity: Entity, rule: Rule, value: Any, value_of: Callable[[str], Any]) -> bool:
    field, args = entity.field(rule.column), rule.args
    match rule.kind:
        case "in_set":
            return value in [_set_value(field, one) for one in args["values"]]
        case "not_in_set":
            return value not in [_set_value(field, one) for one in args["values"]]
        case "pair_in_set":
            other, second = entity.field(args["other"]), value_of(args["other"])
            pairs = [(_set_value(field, one), _set_value(other, two)) for one, two in args["pairs"]]
            return second is None or (value, second) in pairs
        case "between":
            return _is_between(args, field, value)
        case "compare":
            second = value_of(args["other"])
            return second is None or _compares(args["operator"], value, second)
        case "sum":
            values = [value_of(column) for column in args["columns"]]
            if None in values:
                return True
            off = sum(map(Fraction, values)) - Fraction(args["total"])
            return abs(off) <= Fraction(args.get("tolerance", "0"))
    raise AssertionError(f"the oracle does not know {rule.kind}")


_DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "f": 6}


def _has_format(text: str, value: str) -> bool:
    """Every directive with all its digits, and together a moment that there is in some year."""
    pattern, place = "", 0
    while place < len(text):
        directive = text[place + 1] if text[place] == "%" else ""
        if directive in _DIGITS:
            pattern += f"(?P<{directive}>[0-9]{{{_DIGITS[directive]}}})"
        else:
            pattern += re.escape(text[place] if not directive else "%")
        place += 2 if directive else 1
    found = re.fullmatch(pattern, value)
    if found is None:
        return False
    part = {name: int(digits) for name, digits in found.groupdict().items()}
    year, month = part.get("Y", 2000), part.get("m", 1)
    if year == 0 or not 1 <= month <= 12:
        return False
    time = part.get("H", 0) < 24 and part.get("M", 0) < 60 and part.get("S", 0) < 60
    return time and 1 <= part.get("d", 1) <= calendar.monthrange(year, month)[1]


def _is_json(text: str) -> bool:
    """Numbers are left as texts: Python refuses to read long ones."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        found = json.loads(
            text, parse_constant=refuse, parse_int=str, parse_float=str, object_pairs_hook=list
        )
        return _depth(found) <= 100
    except (ValueError, RecursionError):
        return False


def _depth(value: Any) -> int:
    """Of lists, and of objects as lists of their pairs."""
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return _depth(value[1]) if isinstance(value, tuple) else 0


def _is_between(args: Mapping[str, Any], field: Field, value: Any) -> bool:
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
        return value.quantize(Decimal(1).scaleb(-field.scale), context=Context(prec=38))
    return value
