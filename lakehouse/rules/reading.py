"""Reads the rules of a contract: ODCS quality entries of type custom for our own engine."""

from collections.abc import Mapping

from lakehouse.catalog import Delivery, Rule, Severity
from lakehouse.place import Place
from lakehouse.rules.conditions import read_condition
from lakehouse.rules.kind import RuleKind, Scope, Takes, TypedColumn
from lakehouse.rules.registry import KINDS

DIMENSIONS = ["accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"]
_WRITTEN = [kind.name for kind in KINDS.values() if kind.written]


def read_rule(
    place: Place,
    engine: str,
    columns: Mapping[str, TypedColumn],
    column: str | None,
    delivery: Delivery,
) -> Rule:
    """The rule at this place; `column` is given where the entry stands under a property."""
    place.only("id name type engine severity dimension description implementation")
    place.at("type").one_of(["custom"])
    place.at("engine").one_of([engine])
    severity: Severity = "error" if place.at("severity").one_of(["error", "warn"]) == "error" else "warn"
    body = place.at("implementation")
    kind = _read_kind(body)
    _require_fit(place, kind, severity, delivery)
    column = _read_column(body, kind, columns, column)
    when = read_condition(body.at("when"), columns) if "when" in body.value else None
    by = {Takes.COLUMN: "column", Takes.COLUMNS: "columns", Takes.OBJECT: ""}[kind.takes]
    body.only(" ".join(f"rule {by} when version {kind.keys}".split()))
    # a kind about the object has no column, and asks for none
    typed = columns[column or next(iter(columns))]
    return Rule(
        id=place.at("id").text(r"[a-z][a-z0-9_]{0,79}", "lower-case letters, digits and _"),
        kind=kind.name,
        column=column,
        severity=severity,
        text=place.at("description").text(),
        dimension=place.at("dimension").one_of(DIMENSIONS),
        args=kind.read(body, columns, typed),
        when=when,
        version=body.at("version").integer(1, 10**6) if "version" in body.value else 1,
    )


def _read_kind(body: Place) -> RuleKind:
    place = body.at("rule")
    if place.value is None:
        place.fail("is empty", 'Write the rule\'s name; the one called null in quotes: rule: "null".')
    return KINDS[place.one_of(_WRITTEN)]


def _require_fit(place: Place, kind: RuleKind, severity: Severity, delivery: Delivery) -> None:
    if kind.scope is Scope.ROW:
        return
    if delivery != "batch":
        place.at("implementation").at("rule").fail(
            f"{kind.name} is about a whole load, and this entity comes as a stream, which is cut anywhere",
            "Let Gold or a dbt test answer it, or deliver the entity as a batch.",
        )
    if kind.scope is Scope.LOAD and severity == "error":
        place.at("severity").fail(
            f"is error, but which of the rows of a load breaks {kind.name} depends on the others",
            "Write warn: the rows pass marked, and Gold settles which one holds.",
        )


def _read_column(body: Place, kind: RuleKind, columns: Mapping[str, TypedColumn], under: str | None) -> str:
    if kind.takes is Takes.OBJECT:
        if under is not None:
            body.at("rule").fail(f"{kind.name} is not about a column", "Write it under the schema object.")
        return ""
    key = "column" if kind.takes is Takes.COLUMN else "columns"
    if kind.takes is Takes.COLUMN and under is not None:
        if key in body.value:
            body.at(key).fail("is given by the property it stands under", "Leave it out.")
        return under
    if kind.takes is Takes.COLUMN:
        return body.at(key).one_of(list(columns))
    first = next(body.at(key).items(), None)
    if first is None:
        body.at(key).fail("is empty", "Name the columns.")
    if under is not None and first.value != under:
        first.fail(f"is {first.value!r}", f"Begin with {under}, which the rule stands under.")
    return first.one_of(list(columns))
