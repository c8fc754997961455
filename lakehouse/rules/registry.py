"""Every kind of rule by name: those of the library, and each module in `custom`."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from lakehouse.catalog import Field, Rule
from lakehouse.errors import ContractError
from lakehouse.rules import bounds, custom, forms, loads, patterns, presence, records, sets
from lakehouse.rules.conditions import compile_condition
from lakehouse.rules.kind import RuleKind, Test


def _all_kinds() -> Iterator[RuleKind]:
    for module in (presence, patterns, sets, bounds, forms, records, loads):
        yield from module.KINDS
    for found in iter_modules(custom.__path__):
        yield import_module(f"{custom.__name__}.{found.name}").KIND


KINDS: Mapping[str, RuleKind] = {kind.name: kind for kind in _all_kinds()}


def kind_of(rule: Rule) -> RuleKind:
    """The rule's kind; ContractError for one that this version does not know."""
    found = KINDS.get(rule.kind)
    if found is None:
        raise ContractError(
            rule.id, "rule", f"{rule.kind!r} is no kind of rule known here", "Deploy a newer check hop."
        )
    return found


def columns_of(rule: Rule) -> set[str]:
    """Every column that a rule reads; empty for one about the object alone."""
    found = {rule.column} - {""}
    for name in kind_of(rule).column_args:
        value = rule.args[name]
        found |= {value} if isinstance(value, str) else set(value)
    return found if rule.when is None else found | {rule.when.column}


def compile_test(rule: Rule, fields: Mapping[str, Field]) -> Test:
    """The test of a row rule with its condition. ContractError when the rule cannot be run here."""
    make = kind_of(rule).make
    assert make is not None, f"{rule.kind} has no test of single rows"
    test = make(rule, fields)
    if rule.when is None:
        return test
    condition = compile_condition(rule.id, rule.when, fields)
    return lambda columns: test(columns) & condition(columns)
