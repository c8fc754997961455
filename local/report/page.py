"""Puts the report together: one HTML page that needs nothing but itself."""

from datetime import UTC
from importlib import resources

from local.report.accounts import draw_balance, draw_positions, draw_repeats, draw_verdict
from local.report.charts import draw_growth, draw_logistics, draw_segments
from local.report.data import Headlines, ReportData
from local.report.figures import count, money, percent
from local.report.flow import draw_flow
from local.report.markup import Markup, element, join
from local.report.troubles import draw_quarantine, draw_refused, draw_warnings

_NEXT = (
    ("nexus quarantine list", "every reason a row is held back for"),
    ("nexus where EVENT_ID", "follows one event from Bronze to Gold"),
    ("nexus ledger --json", "the same balance for a script"),
    ('nexus query "select * from insight_monthly_growth"', "asks Gold in SQL"),
)


def render_report(data: ReportData) -> str:
    """The page as text: self-contained, light and dark, for any width. The same data gives the same page."""
    style = resources.files("local.report").joinpath("style.css").read_text("utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"Keystone Nexus: {data.source}"),
        element("style", Markup(style)),
    )
    body = element(
        "body",
        element(
            "header", element("p", element("b", "Keystone Nexus"), " ", element("span", _subtitle(data)))
        ),
        element(
            "main",
            draw_verdict(data),
            _way(data),
            _headlines(data.headlines),
            draw_balance(data),
            draw_quarantine(data),
            draw_warnings(data),
            draw_refused(data.refused),
            draw_repeats(data),
            _insights(data),
            draw_positions(data),
            _next(),
        ),
        element(
            "footer", f"Made {data.made_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC from ledger, lake and Gold."
        ),
    )
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _subtitle(data: ReportData) -> str:
    took = "" if data.seconds is None else f" · {data.seconds:.0f} s"
    return f"{data.source} · {data.broker}{took}"


def _way(data: ReportData) -> Markup:
    return element(
        "section",
        element("h2", "The way of the rows"),
        element("div", draw_flow(data), class_="card"),
    )


def _headlines(headlines: Headlines | None) -> Markup:
    if headlines is None:
        return element(
            "p", "Gold has not been built yet. Run nexus model, then nexus report.", class_="card empty"
        )
    figures = [
        (count(headlines.orders), "orders"),
        (count(headlines.persons), "customers"),
        (count(headlines.items), "items sold"),
        (money(headlines.price), "reais of revenue"),
        (money(headlines.freight), "reais of freight"),
        (money(headlines.payments), "reais paid"),
    ]
    if headlines.review_score is not None:
        figures.append((f"{headlines.review_score:.2f}", "stars of five"))
    if headlines.late_share is not None:
        figures.append((percent(headlines.late_share), "delivered late"))
    tiles = [
        element("div", element("b", figure), element("span", text), class_="tile-card")
        for figure, text in figures
    ]
    return element("section", element("h2", "The shop in figures"), element("div", tiles, class_="tiles"))


def _insights(data: ReportData) -> Markup | None:
    charts = join(
        [
            draw_growth(data.months) if data.months else None,
            draw_logistics(data.states) if data.states else None,
            draw_segments(data.segments) if data.segments else None,
        ]
    )
    return element("section", element("h2", "What Gold tells"), charts) if charts else None


def _next() -> Markup:
    items = [element("li", element("code", command), element("span", text)) for command, text in _NEXT]
    return element("section", element("h2", "Ask further"), element("ul", items, class_="next"))
