"""Whether a value is there, and of its column's type."""

from collections.abc import Mapping

from lakehouse.catalog import Field, Rule
from lakehouse.rules.kind import RuleKind, Test, no_args


def _not_null(rule: Rule, fields: Mapping[str, Field]) -> Test:
    return lambda columns: columns[rule.column].missing


def _null(rule: Rule, fields: Mapping[str, Field]) -> Test:
    return lambda columns: ~columns[rule.column].missing


def _castable(rule: Rule, fields: Mapping[str, Field]) -> Test:
    return lambda columns: columns[rule.column].unreadable


KINDS = (
    RuleKind("not_null", "", no_args, _not_null),
    RuleKind("null", "", no_args, _null),
    RuleKind("castable", "", no_args, _castable, written=False),
)
