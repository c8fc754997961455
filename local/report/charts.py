"""The three insights as charts: months as bars, states as a map of tiles, customer segments as pairs of bars."""

from collections.abc import Iterator, Sequence

from local.report.data import Month, Segment, StateLogistics
from local.report.figures import count, month_name, percent, rows, short
from local.report.markup import Markup, element

# Where each state stands when Brazil is laid out in tiles: (column, row).
_TILES = {
    "RR": (1, 0), "AP": (3, 0), "AM": (1, 1), "PA": (2, 1), "MA": (3, 1), "PI": (4, 1), "CE": (5, 1), "RN": (6, 1),
    "AC": (0, 2), "RO": (1, 2), "MT": (2, 2), "TO": (3, 2), "BA": (4, 2), "PE": (5, 2), "PB": (6, 2), "MS": (2, 3),
    "GO": (3, 3), "DF": (4, 3), "SE": (5, 3), "AL": (6, 3), "SP": (3, 4), "MG": (4, 4), "ES": (5, 4), "PR": (3, 5),
    "RJ": (4, 5), "SC": (3, 6), "RS": (3, 7),
}  # fmt: skip
_TILE, _TILE_GAP = 52, 4
_SHADES = 6
_FEW_ORDERS = 30  # below this an average of a state says little; it is drawn, but not named in the headline

_SEGMENT_TEXT = {
    "champions": "came again, lately",
    "loyal": "came again, some time ago",
    "at risk": "came again once, silent since",
    "promising": "one recent order of high value",
    "new": "one recent order",
    "needs attention": "one order of high value, a while ago",
    "about to sleep": "one order, a while ago",
    "lost": "one order, long ago",
    "unknown": "no customer known",
}


def draw_growth(months: Sequence[Month]) -> Markup:
    """Orders and revenue per month, once for wide and once for narrow screens."""
    best = max(months, key=lambda month: month.orders)
    headline = f"{month_name(best.event_month)} was the busiest month: {rows(best.orders, 'order')}."
    if len(months) > 12:
        last, before = (sum(float(m.revenue) for m in part) for part in (months[-6:], months[-12:-6]))
        if before > 0:
            way = "above" if last >= before else "below"
            change = percent(abs(last / before - 1), 0)
            headline += f" Revenue of the last six months lies {change} {way} the six before."
    return element(
        "section",
        element("h3", "Monthly growth"),
        element("p", headline, class_="lead"),
        _legend(("new", "orders"), ("again", "of these, customers who came again")),
        _panels(months, 1040, 13, "wide"),
        _panels(months, 360, 11, "narrow"),
        class_="card chart",
    )


def draw_logistics(states: Sequence[StateLogistics]) -> Markup:
    """Days to each state on a map of tiles, and the states by their orders."""
    known = [s for s in states if s.average_delivery_days is not None and s.customer_state in _TILES]
    sure = [s for s in known if s.delivered_orders >= _FEW_ORDERS] or known
    headline = "No parcel has been delivered yet."
    if sure:
        near, far = min(sure, key=_days), max(sure, key=_days)
        headline = (
            f"A parcel takes {_days(near):.1f} days to {near.customer_state} and {_days(far):.1f} to "
            f"{far.customer_state}."
        )
    return element(
        "section",
        element("h3", "Regional logistics"),
        element("p", headline, class_="lead"),
        element("div", _map(known), _state_table(states), class_="pair"),
        class_="card chart",
    )


def draw_segments(segments: Sequence[Segment]) -> Markup:
    """Each segment's share of the customers beside its share of the revenue."""
    ordered = sorted(segments, key=lambda segment: -float(segment.revenue))
    most = max(max(s.customer_share or 0, s.revenue_share or 0) for s in ordered) or 1.0
    top = max(ordered, key=lambda segment: (segment.revenue_share or 0) - (segment.customer_share or 0))
    headline = (
        f"{percent(top.customer_share or 0, 0)} of the customers ({top.segment}) bring "
        f"{percent(top.revenue_share or 0, 0)} of the revenue."
    )
    return element(
        "section",
        element("h3", "Customer segmentation"),
        element("p", headline, class_="lead"),
        _legend(("people", "share of customers"), ("revenue", "share of revenue")),
        element("div", [_segment(segment, most) for segment in ordered], class_="segments"),
        class_="card chart",
    )


def _legend(*entries: tuple[str, str]) -> Markup:
    return element(
        "p", [element("span", element("i", class_=kind), text) for kind, text in entries], class_="legend"
    )


def _panels(months: Sequence[Month], width: int, size: int, screen: str) -> Markup:
    """Two panels over one axis of months: orders as stacked bars, revenue as an area."""
    step = width / max(len(months), 1)
    most_orders = max(month.orders for month in months) or 1
    most_revenue = max(float(month.revenue) for month in months) or 1.0
    top, bars, gap, area = 2 * size, 150, 3 * size, 90
    floor, base = top + bars, top + bars + gap + area
    drawn: list[Markup] = []
    for number, month in enumerate(months):
        drawn.extend(_bar(month, number * step, step, floor, bars / most_orders))
    points = [((n + 0.5) * step, base - float(m.revenue) / most_revenue * area) for n, m in enumerate(months)]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    drawn.append(element("path", d=f"{line}V{base}H{points[0][0]:.1f}z", class_="area"))
    drawn.append(element("path", d=line, class_="curve"))
    peak_order = max(range(len(months)), key=lambda n: months[n].orders)
    peak_money = max(range(len(months)), key=lambda n: float(months[n].revenue))
    drawn.append(_label(peak_order, step, width, floor - bars - 5, count(months[peak_order].orders)))
    drawn.append(_label(peak_money, step, width, base - area - 6, f"R$ {short(most_revenue)}"))
    drawn.append(element("text", "Orders", x=0, y=size, class_="name"))
    drawn.append(element("text", "Revenue", x=0, y=floor + gap - size * 1.1, class_="name"))
    drawn.extend(_axis(months, step, floor, base, size))
    return element(
        "svg",
        drawn,
        viewBox=f"0 0 {width} {base + 1.8 * size:.0f}",
        role="img",
        aria_label="Orders and revenue per month",
        class_=f"growth {screen}",
        font_size=size,
    )


def _bar(month: Month, left: float, step: float, floor: float, unit: float) -> Iterator[Markup]:
    again = month.returning_customers * unit
    new = max(0.0, month.orders * unit - again)
    title = (
        f"{month_name(month.event_month)}: {rows(month.orders, 'order')}, {count(month.new_customers)} new customers, "
        f"{count(month.returning_customers)} came again, revenue R$ {short(float(month.revenue))}"
    )
    x, width = left + step * 0.14, step * 0.72
    yield element(
        "g",
        element("title", title),
        element("rect", x=x, y=floor - new, width=width, height=new, class_="new"),
        element("rect", x=x, y=floor - new - again, width=width, height=again, class_="again"),
    )


def _label(number: int, step: float, width: float, y: float, text: str) -> Markup:
    x = min(max((number + 0.5) * step, 4 * 7), width - 4 * 7)  # half a label's width from the edges
    return element("text", text, x=x, y=y, text_anchor="middle", class_="value")


def _axis(months: Sequence[Month], step: float, floor: float, base: float, size: int) -> Iterator[Markup]:
    """Floors of both panels, and the name of each January and of the first month (not too close to each other)."""
    end = step * len(months)
    for y in (floor, base):
        yield element("line", x1=0, x2=end, y1=y, y2=y, class_="floor")
    for number, month in enumerate(months):
        january = month.event_month.endswith("-01")
        room = all(not m.event_month.endswith("-01") for m in months[1 : 1 + int(5 * size / step)])
        if january or (number == 0 and room):
            x = (number + 0.5) * step
            yield element("line", x1=x, x2=x, y1=base, y2=base + 4, class_="floor")
            yield element(
                "text", month_name(month.event_month), x=x - step * 0.3, y=base + 1.4 * size, class_="note"
            )


def _days(state: StateLogistics) -> float:
    return float(state.average_delivery_days or 0)


def _map(states: Sequence[StateLogistics]) -> Markup:
    if not states:
        return Markup()
    by_days = sorted(states, key=_days)  # shades by rank: two states far away would leave all others pale
    pitch = _TILE + _TILE_GAP
    tiles = []
    for state in states:
        column, row = _TILES[state.customer_state]
        shade = by_days.index(state) * _SHADES // len(states)
        x, y = column * pitch, row * pitch
        title = f"{state.customer_state}: {_days(state):.1f} days, {rows(state.delivered_orders, 'delivered order')}"
        middle = x + _TILE / 2
        tiles.append(
            element(
                "g",
                element("title", title),
                element("rect", x=x, y=y, width=_TILE, height=_TILE, rx=6),
                element(
                    "text", state.customer_state, x=middle, y=y + 23, text_anchor="middle", class_="name"
                ),
                element("text", f"{_days(state):.0f}", x=middle, y=y + 40, text_anchor="middle"),
                class_=f"tile shade{shade}",
            )
        )
    drawing = element(
        "svg",
        tiles,
        viewBox=f"0 0 {7 * pitch - _TILE_GAP} {8 * pitch - _TILE_GAP}",
        role="img",
        aria_label="Days from purchase to delivery by state",
        class_="map",
    )
    return element(
        "figure",
        drawing,
        element(
            "figcaption", "Days from purchase to the customer's door; the stronger the colour, the longer"
        ),
    )


def _state_table(states: Sequence[StateLogistics]) -> Markup:
    ordered = sorted(states, key=lambda state: -state.orders)[:10]
    head = ("State", "Orders", "Days", "Late", "Freight", "Stars")
    body = [
        element(
            "tr",
            element("th", state.customer_state, scope="row"),
            [element("td", cell) for cell in _state_cells(state)],
        )
        for state in ordered
    ]
    return element(
        "div",
        element(
            "table",
            element(
                "caption", f"The {len(ordered)} states with most orders; freight as a share of the price"
            ),
            element("thead", element("tr", [element("th", name, scope="col") for name in head])),
            element("tbody", body),
            class_="numbers",
        ),
        class_="scroll",
    )


def _state_cells(state: StateLogistics) -> Iterator[str]:
    yield count(state.orders)
    yield "–" if state.average_delivery_days is None else f"{state.average_delivery_days:.1f}"
    yield "–" if state.late_share is None else percent(state.late_share, 0)
    yield "–" if state.freight_share is None else percent(state.freight_share, 0)
    yield "–" if state.average_review_score is None else f"{state.average_review_score:.1f}"


def _segment(segment: Segment, most: float) -> Markup:
    def bar(kind: str, share: float) -> Markup:
        width = f"width:{100 * share / most * 0.8:.1f}%"  # a fifth is left for the figure behind the bar
        return element(
            "div", element("i", class_=kind, style=width), element("span", percent(share)), class_="bar"
        )

    facts = f"{count(segment.customers)} customers, R$ {segment.average_revenue or 0:,.0f} each"
    return element(
        "div",
        element(
            "div",
            element("b", segment.segment),
            element("small", _SEGMENT_TEXT.get(segment.segment, "")),
            element("small", facts),
        ),
        element(
            "div", bar("people", segment.customer_share or 0), bar("revenue", segment.revenue_share or 0)
        ),
        class_="segment",
    )
