"""What was wrong with the data: Quarantine by reason with example rows, warnings by rule, rows that never left."""

from collections.abc import Sequence

from local.report.data import ExampleRow, QuarantineReason, Refused, ReportData, Warned
from local.report.figures import rows
from local.report.markup import Markup, element

_MOST_SHOWN = 10  # reasons and warnings before the rest is folded away
_MOST_REFUSED = 20  # lines shown; the count stands above them


def draw_quarantine(data: ReportData) -> Markup:
    """Each reason with its rows, most first; the examples of the first stand open."""
    reasons = sorted(data.quarantine, key=lambda reason: -reason.rows)
    if not reasons:
        body: object = element("p", "Quarantine is empty: every row passed.", class_="card empty")
    else:
        most = reasons[0].rows
        body = _list([_reason(reason, most, number == 0) for number, reason in enumerate(reasons)], "reasons")
    return element(
        "section",
        element("h2", "In Quarantine"),
        element(
            "p",
            "These rows broke a rule of their contract. Nothing of them was changed; each carries all its reasons, "
            "and a row with two reasons stands under both.",
        ),
        body,
    )


def draw_warnings(data: ReportData) -> Markup | None:
    """Rules that let rows pass, marked."""
    if not data.warned:
        return None
    warned = sorted(data.warned, key=lambda warning: -warning.rows)
    return element(
        "section",
        element("h2", "Passed with a warning"),
        element("p", "Worth knowing, not worth losing the row: these are in Silver, marked with the rule."),
        _list([_warning(w, warned[0].rows) for w in warned], "rules"),
    )


def draw_refused(refused: Sequence[Refused]) -> Markup | None:
    """Rows of files that no typed event can hold."""
    if not refused:
        return None
    items = [
        element("li", element("code", f"{row.file}, line {row.line}"), ": ", row.reason)
        for row in refused[:_MOST_REFUSED]
    ]
    more = len(refused) - len(items)
    return element(
        "section",
        element("h2", "Never sent"),
        element("p", f"{rows(len(refused))} of the files cannot be a typed event and stayed where they are."),
        element(
            "div",
            element("ul", items),
            element("p", f"and {rows(more)} more") if more else None,
            class_="voids",
        ),
    )


def _list(lines: Sequence[Markup], what: str) -> Markup:
    """The first lines, the others folded away: they hold few rows each."""
    shown, folded = lines[:_MOST_SHOWN], lines[_MOST_SHOWN:]
    if len(folded) <= 2:
        shown, folded = lines, []
    more = element("details", element("summary", f"{len(folded)} more {what}"), folded, class_="more")
    return element("div", shown, more if folded else None, class_="card reasons")


def _reason(reason: QuarantineReason, most: int, is_open: bool) -> Markup:
    line = _line(reason.entity, reason.rule, reason.text, reason.rows, most, "quarantine")
    if not reason.examples:
        return element("div", line, class_="reason")
    examples = [_example(row, reason.column) for row in reason.examples]
    attributes = {"open": "open"} if is_open else {}
    return element("details", element("summary", line), examples, class_="reason", **attributes)


def _warning(warning: Warned, most: int) -> Markup:
    line = _line(warning.entity, warning.rule, warning.text, warning.rows, most, "warn")
    return element("div", line, class_="reason")


def _line(entity: str, rule: str, text: str, number: int, most: int, kind: str) -> Markup:
    width = max(1.5, 100 * number / most)  # percent; one row of thousands must still show
    return element(
        "div",
        element("b", f"{number:,}"),
        element("div", text, element("small", entity.replace("_", " "), " · ", element("code", rule))),
        element("i", class_=kind, style=f"width:{width:.1f}%"),
        class_="line",
    )


def _example(row: ExampleRow, column: str) -> Markup:
    cells: object
    if row.raw is not None:
        cells = element("pre", row.raw)
    else:
        cells = element(
            "dl",
            [
                element(
                    "div",
                    element("dt", name),
                    element("dd", _cell(value)),
                    class_="wrong" if name == column else None,
                )
                for name, value in row.cells.items()
            ],
        )
    where = element("p", "event ", element("code", row.event_id), " at ", element("code", row.position))
    return element("div", cells, where, class_="example")


def _cell(value: str | None) -> object:
    if value is None or value == "":
        return element("em", "nothing")
    return value
