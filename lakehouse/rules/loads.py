"""What holds among the rows of a load, and of a load as a whole: kinds without a test of single rows.

`object_facts` finds out about them before the rows are judged.
"""

from collections.abc import Mapping

from lakehouse.place import Place
from lakehouse.rules.kind import Args, RuleKind, Scope, Takes, TypedColumn
from lakehouse.rules.patterns import read_counts
from lakehouse.rules.records import same_kind

_SHARE = r"0(\.[0-9]{1,9})?|1(\.0{1,9})?"


def _read_unique(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    return {"columns": same_kind(body, columns)}


def _read_order(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    return {"strictly": True} if body.flag("strictly") else {}


def _read_row_count(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    return read_counts(body)


def _read_columns_present(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    if "when" in body.value:
        body.at("when").fail("belongs to rules about rows", "Leave it out.")
    place = body.at("columns")
    names = [item.one_of(list(columns)) for item in place.items()]
    if not names or len(set(names)) != len(names):
        place.fail("is empty or names a column twice", "Name each column once.")
    return {"columns": names}


def _read_null_share(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    place = body.at("max")
    return {
        "max": Place(place.file, place.path, str(place.value)).text(_SHARE, "a share of 0 to 1, such as 0.05")
    }


KINDS = (
    RuleKind("unique", "", _read_unique, None, Scope.LOAD, Takes.COLUMNS, ("columns",)),
    RuleKind("increasing", "strictly", _read_order, None, Scope.LOAD),
    RuleKind("decreasing", "strictly", _read_order, None, Scope.LOAD),
    RuleKind("row_count", "min max", _read_row_count, None, Scope.OBJECT, Takes.OBJECT),
    RuleKind(
        "columns_present", "columns", _read_columns_present, None, Scope.OBJECT, Takes.OBJECT, ("columns",)
    ),
    RuleKind("null_share", "max", _read_null_share, None, Scope.OBJECT),
)
