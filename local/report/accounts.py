"""The proof: the verdict, the balance by entity, positions, void ranges, duplicates."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from lakehouse.balance import Amount, Balance, PositionBalance, VoidRange
from lakehouse.paths import is_load
from local.report.data import EntityCounts, ReportData
from local.report.figures import count, hexadecimal, rows
from local.report.markup import Markup, element


def draw_verdict(data: ReportData) -> Markup:
    """The one sentence people open the page for."""
    total = data.total
    lost = sum(void.end - void.first for void in data.voids)
    broken = sorted(
        {e.entity for e in data.entities if e.balance.difference != Amount()}
        | {p.entity for p in data.positions if p.unlanded < 0}
    )
    if broken:
        kind, sign, title = "bad", "!", "The balance does not close"
        text = (
            f"{', '.join(map(_words, broken))}: rows are nowhere, or more than once. The table below names them; "
            "nexus ledger shows the same."
        )
    elif not data.closed:
        kind, sign, title = "waiting", "…", "The balance is not closed yet"
        waiting = [(total.unchecked.rows, "row", "for the check"), (data.unlanded, "event", "for landing")]
        named = [f"{rows(number, one)} {what}" for number, one, what in waiting if number]
        text = f"Still waiting: {', '.join(named)}. Run nexus up to let them finish, then nexus report."
    else:
        kind, sign, title = "good", "✓", "The balance is closed"
        erased = f", {count(total.erased.rows)} were erased on request" if total.erased.rows else ""
        text = (
            f"Of {rows(total.bronze.rows)} in Bronze, {count(total.silver.rows)} are in Silver and "
            f"{count(total.quarantine.rows)} in Quarantine{erased}. None is missing and none is there twice, "
            "by count and by hash sum."
        )
    if lost:
        if kind == "good":
            kind, sign, title = "bad", "!", f"The balance is closed, but {rows(lost, 'offset')} are void"
        text += (
            f" {rows(lost, 'offset')} will never land: the ranges and their reasons stand under positions."
        )
    return element(
        "section",
        element("div", sign, class_="sign", aria_hidden="true"),
        element("div", element("h1", title), element("p", text)),
        class_=f"verdict {kind}",
    )


def draw_balance(data: ReportData) -> Markup:
    """Bronze = Silver + Quarantine + erased + unchecked, for each entity by rows and by hash sum."""
    total = data.total
    # columns that are zero all over make room on a phone
    calm = [amount.rows == 0 for amount in _amounts(total)]
    body = [_balance_row(_words(e.entity), e.balance, calm, e.sent) for e in data.entities]
    sent = sum(e.sent or 0 for e in data.entities) if data.sent else None
    return element(
        "section",
        element("h2", "The balance"),
        element(
            "p",
            "Every row of Bronze is in exactly one of the others. Rows are counted, and the hashes of their contents "
            "are added up: a row lost and another doubled would cancel in the count, not in the sum.",
        ),
        element(
            "div",
            element(
                "table",
                element("thead", element("tr", list(_balance_head(calm)))),
                element("tbody", body),
                element("tfoot", _balance_row("All", total, calm, sent)),
                class_="numbers balance",
            ),
            class_="card scroll",
        ),
        _hash_sums(data.entities),
    )


def _balance_head(calm: Sequence[bool]) -> Iterator[Markup]:
    parts = ("Bronze", "Silver", "Quarantine", "Erased", "Unchecked", "Difference")
    yield element("th", "Entity", scope="col")
    yield element("th", "Last run sent", scope="col", class_="aside")
    for name, empty in zip(parts, calm, strict=True):
        yield element("th", name, scope="col", class_="calm" if empty else None)
    yield element("th", "Hashes", scope="col")


def _amounts(balance: Balance) -> tuple[Amount, ...]:
    b = balance
    return b.bronze, b.silver, b.quarantine, b.erased, b.unchecked, b.difference


def _balance_row(name: str, balance: Balance, calm: Sequence[bool], sent: int | None) -> Markup:
    agree = balance.difference.hash_sum == 0
    cells = [
        element("td", count(amount.rows), class_=_cell_class(amount, place == 5, empty))
        for place, (amount, empty) in enumerate(zip(_amounts(balance), calm, strict=True))
    ]
    return element(
        "tr",
        element("th", name, scope="row"),
        element("td", "–" if sent is None else count(sent), class_="aside"),
        cells,
        element("td", "agree" if agree else "differ", class_="ok" if agree else "alarm"),
    )


def _cell_class(amount: Amount, is_difference: bool, empty: bool) -> str | None:
    if amount.rows:
        return "alarm" if is_difference else None
    return "zero calm" if empty else "zero"


def _hash_sums(entities: Sequence[EntityCounts]) -> Markup:
    head = ("Entity", "Bronze", "Silver", "Quarantine", "Silver + Quarantine + rest")
    body = []
    for entity in entities:
        b = entity.balance
        accounted = b.silver + b.quarantine + b.erased + b.unchecked
        sums = (b.bronze, b.silver, b.quarantine, accounted)
        cells = [element("td", hexadecimal(amount.hash_sum)) for amount in sums]
        body.append(element("tr", element("th", _words(entity.entity), scope="row"), cells))
    return element(
        "details",
        element("summary", "Hash sums, modulo 2⁶⁴"),
        element(
            "div",
            element(
                "table",
                element("thead", element("tr", [element("th", name, scope="col") for name in head])),
                element("tbody", body),
                class_="sums",
            ),
            class_="scroll",
        ),
    )


def draw_positions(data: ReportData) -> Markup:
    """End − start = landed + void + unlanded: one line per log and topic, its partitions folded below."""
    groups = [list(group) for _, group in groupby(data.positions, key=lambda p: (p.log, p.topic))]
    head = ("Log", "Topic", "Partitions", "End − start", "Landed", "Void", "Unlanded")
    return element(
        "section",
        element("h2", "Positions"),
        element(
            "p",
            "What the broker gave out is landed, void for a known reason, or still to land. A batch file is a log of "
            "its own, a record its offset.",
        ),
        element(
            "div",
            element(
                "table",
                element("thead", element("tr", [element("th", name, scope="col") for name in head])),
                element("tbody", [_position_row(group) for group in groups]),
                class_="numbers positions",
            ),
            class_="card scroll",
        ),
        _partitions(data.positions),
        _voids(data.voids),
    )


def _position_row(group: Sequence[PositionBalance]) -> Markup:
    first = group[0]
    void, unlanded = sum(p.void for p in group), sum(p.unlanded for p in group)
    return element(
        "tr",
        element("th", element("code", first.log), scope="row"),
        element("td", first.topic, class_="text"),
        element("td", "file" if is_load(first.log) else count(len(group))),
        element("td", count(sum(p.end - p.start for p in group))),
        element("td", count(sum(p.landed for p in group))),
        element("td", count(void), class_="alarm" if void else "zero"),
        element("td", count(unlanded), class_="alarm" if unlanded else "zero"),
    )


def _partitions(positions: Sequence[PositionBalance]) -> Markup | None:
    streams = [p for p in positions if not is_load(p.log)]
    if not streams:
        return None
    head = ("Log", "Topic", "Partition", "Start", "End", "Landed", "Void", "Unlanded")
    body = [
        element(
            "tr",
            element("th", element("code", p.log), scope="row"),
            element("td", p.topic, class_="text"),
            [element("td", count(n)) for n in (p.partition, p.start, p.end, p.landed, p.void, p.unlanded)],
        )
        for p in streams
    ]
    return element(
        "details",
        element("summary", f"All {len(streams)} partitions"),
        element(
            "div",
            element(
                "table",
                element("thead", element("tr", [element("th", name, scope="col") for name in head])),
                element("tbody", body),
                class_="numbers",
            ),
            class_="scroll",
        ),
    )


def _voids(voids: Sequence[VoidRange]) -> Markup | None:
    if not voids:
        return None
    items = [
        element(
            "li",
            element("b", rows(void.end - void.first, "offset")),
            " of ",
            element("code", f"{void.log}/{void.topic}/{void.partition}"),
            f" from {count(void.first)} to {count(void.end - 1)}: {void.reason}",
        )
        for void in voids
    ]
    return element(
        "div",
        element("h3", "Void ranges"),
        element(
            "p", "These offsets will never land. Running the same command again sends their events once more."
        ),
        element("ul", items),
        class_="voids",
    )


def draw_repeats(data: ReportData) -> Markup:
    """Where more rows than events come from: resends, older versions, deletes."""
    resends = sum(e.balance.bronze.rows - e.distinct_events for e in data.entities)
    tiles = [
        (count(sum(e.distinct_events for e in data.entities)), "different events and records"),
        (count(resends), "of their rows are resends: the same event again"),
    ]
    if all(e.current is not None for e in data.entities):
        deleted = sum(e.deleted or 0 for e in data.entities)
        tiles.append((count(sum(e.current or 0 for e in data.entities)), "keys are current in Gold"))
        tiles.append((count(deleted), "keys were deleted by their newest version"))
    return element(
        "section",
        element("h2", "Sent more than once"),
        element(
            "p",
            "A resend carries the id of the event it repeats. Bronze and Silver keep it; Gold takes the newest "
            "version of each key, so nothing is counted twice.",
        ),
        element("div", list(_tiles(tiles)), class_="tiles"),
    )


def _tiles(tiles: Sequence[tuple[str, str]]) -> Iterator[Markup]:
    for figure, text in tiles:
        yield element("div", element("b", figure), element("span", text), class_="tile-card")


def _words(entity: str) -> str:
    """order_items as people write it."""
    return entity.replace("_", " ").capitalize()
