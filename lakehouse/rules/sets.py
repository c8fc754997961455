"""Values that must be, or must not be, among those listed."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.bronze import silver_type
from lakehouse.catalog import Field, Rule
from lakehouse.place import Place
from lakehouse.rules.kind import (
    Args,
    Columns,
    RuleKind,
    Test,
    TypedColumn,
    as_mask,
    each_once,
    parsed,
    set_value,
    without_negative_zero,
)
from lakehouse.text_view import Ints, Mask


def _read_values(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    place = body.at("values")
    values = [set_value(item, column) for item in place.items()]
    each_once(place, [parsed(value, column) for value in values])
    return {"values": values}


def _member(rule: Rule, fields: Mapping[str, Field]) -> Callable[[Columns], Mask]:
    field = fields[rule.column]
    values = pa.array([parsed(value, field) for value in rule.args["values"]], silver_type(field))
    return lambda columns: as_mask(
        pc.is_in(without_negative_zero(columns[rule.column].values), value_set=values)
    )


def _in_set(rule: Rule, fields: Mapping[str, Field]) -> Test:
    member = _member(rule, fields)
    return lambda columns: ~member(columns) & columns[rule.column].known


def _not_in_set(rule: Rule, fields: Mapping[str, Field]) -> Test:
    return _member(rule, fields)  # null is in no set


def _read_pairs(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    other = columns[body.at("other").one_of(list(columns))]
    place, pairs = body.at("pairs"), []
    for item in place.items():
        both = list(item.items())
        if len(both) != 2:
            item.fail(f"holds {len(both)} values", f"Write one of {column.name} and one of {other.name}.")
        pairs.append([set_value(both[0], column), set_value(both[1], other)])
    each_once(place, [(parsed(one, column), parsed(two, other)) for one, two in pairs])
    return {"other": other.name, "pairs": pairs}


def _pair_in_set(rule: Rule, fields: Mapping[str, Field]) -> Test:
    """Each column's values are numbered; a table says which two numbers stand together."""
    one, two = fields[rule.column], fields[rule.args["other"]]
    pairs = [(parsed(left, one), parsed(right, two)) for left, right in rule.args["pairs"]]
    lefts, rights = (list(dict.fromkeys(pair[place] for pair in pairs)) for place in (0, 1))
    together = np.zeros(
        (len(lefts) + 1, len(rights) + 1), bool
    )  # the last row and column are of other values
    for left, right in pairs:
        together[lefts.index(left), rights.index(right)] = True
    known_lefts, known_rights = pa.array(lefts, silver_type(one)), pa.array(rights, silver_type(two))

    def test(columns: Columns) -> Mask:
        left, right = columns[one.name], columns[two.name]
        found: Mask = ~together[_numbers(left.values, known_lefts), _numbers(right.values, known_rights)]
        return found & left.known & right.known

    return test


def _numbers(values: pa.Array, known: pa.Array) -> Ints:
    """Each value's number among the known ones; -1 when it is none of them."""
    found: Ints = pc.fill_null(pc.index_in(without_negative_zero(values), value_set=known), -1).to_numpy()
    return found


KINDS = (
    RuleKind("in_set", "values", _read_values, _in_set),
    RuleKind("not_in_set", "values", _read_values, _not_in_set),
    RuleKind("pair_in_set", "other pairs", _read_pairs, _pair_in_set, column_args=("other",)),
)
