"""The way of the rows as a picture: bands as thick as the rows are many, and as a list of hops for narrow screens."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from local.report.data import ReportData
from local.report.figures import count, rows
from local.report.markup import Markup, element

_WIDTH, _TOP = 1040, 46.0  # units of the drawing
_ALL_ROWS = 190  # thickness of all rows together
_NODE, _GAP, _THINNEST = (
    14,
    52.0,
    3.0,
)  # the gap holds two lines of text; a band of one row must still be seen
_COLUMNS = (0, 250, 460, 730, 1026)  # left edges: what was sent, the broker, Bronze, the check, Gold


@dataclass
class Node:
    """A place that rows come through; `kind` gives its colour. The rest is filled in when the picture is laid out."""

    name: str
    kind: str
    column: int
    number: int
    note: str = ""
    top: float = 0.0
    height: float = 0.0
    given: float = 0.0
    taken: float = 0.0


@dataclass
class Band:
    """Rows that go from one node to another; layout as for nodes."""

    origin: Node
    goal: Node
    number: int
    thickness: float = 0.0
    leaves: float = 0.0
    arrives: float = 0.0


@dataclass
class Flow:
    """Nodes in drawing order, and the bands between them."""

    nodes: list[Node] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)

    def add(self, node: Node, *origins: Node) -> Node:
        """Adds a node unless nothing comes through it; its rows come from the origins."""
        if node.number > 0:
            self.nodes.append(node)
            for origin in origins:
                self.link(origin, node, min(node.number, origin.number))
        return node

    def link(self, origin: Node, goal: Node, number: int | None = None) -> None:
        """A band between two nodes, as many rows as the origin has unless it is said."""
        rows_on_it = origin.number if number is None else number
        if rows_on_it > 0 and origin.number > 0:
            self.bands.append(Band(origin, goal, rows_on_it))


def draw_flow(data: ReportData) -> Markup:
    """The picture for wide screens and the list for narrow ones; the page shows one of them."""
    flow = _flow(data)
    _measure(flow)
    _place(flow)
    height = max(node.top + node.height for node in flow.nodes) + 4
    drawing = element(
        "svg",
        [_band(band) for band in flow.bands],
        [_node(node) for node in flow.nodes],
        viewBox=f"0 0 {_WIDTH} {height:.0f}",
        role="img",
        aria_label="The way of the rows: " + "; ".join(f"{n.name} {count(n.number)}" for n in flow.nodes),
        class_="flow wide",
    )
    return element("div", drawing, element("ol", _hops(flow), class_="hops narrow"))


def _flow(data: ReportData) -> Flow:
    flow, total = Flow(), data.total
    bronze = Node("Bronze", "bronze", 2, total.bronze.rows, "as it arrived")
    flow.nodes.append(bronze)
    _sources(flow, data, bronze)
    silver = flow.add(Node("Silver", "silver", 3, total.silver.rows, "checked and typed"), bronze)
    flow.add(Node("Quarantine", "quarantine", 3, total.quarantine.rows, "held back, with reasons"), bronze)
    flow.add(Node("Unchecked", "waiting", 3, total.unchecked.rows, "waiting for the check"), bronze)
    flow.add(Node("Erased", "older", 3, total.erased.rows, "on request"), bronze)
    current = [entity.current for entity in data.entities if entity.current is not None]
    if current:
        deleted = sum(entity.deleted or 0 for entity in data.entities)
        older = total.silver.rows - sum(current) - deleted
        flow.add(Node("Gold", "gold", 4, sum(current), "newest versions"), silver)
        flow.add(Node("Older", "older", 4, older, "old versions, resends"), silver)
        flow.add(Node("Deleted", "older", 4, deleted, "by a delete event"), silver)
    return flow


def _sources(flow: Flow, data: ReportData, bronze: Node) -> None:
    """What the last run sent; rows of earlier runs stand beside it, so that the bands add up to Bronze."""
    sent = data.sent
    if sent is None:
        flow.link(flow.add(Node("The lake", "older", 0, bronze.number, "filled by earlier runs")), bronze)
        return
    grpc = flow.add(Node("gRPC", "source", 0, sent.grpc, "events sent"))
    plain = flow.add(Node("Plain producer", "source", 0, sent.plain, "events sent"))
    kafka = flow.add(Node("Kafka", "kafka", 1, sent.acknowledged, "acknowledged"), grpc, plain)
    flow.link(kafka, bronze, sent.landed)
    flow.add(Node("Not landed", "quarantine", 2, sent.acknowledged - sent.landed, "see positions"), kafka)
    flow.link(flow.add(Node("Batch files", "source", 0, sent.batch_records, "records read")), bronze)
    earlier = bronze.number - sent.landed - sent.batch_records
    flow.link(flow.add(Node("Other runs", "older", 0, earlier, "in the lake besides")), bronze)


def _measure(flow: Flow) -> None:
    """Thickness of nodes: that of their bands on the thicker side."""
    most = max(node.number for node in flow.nodes)
    for node in flow.nodes:
        into = sum(_thickness(band.number, most) for band in flow.bands if band.goal is node)
        out = sum(_thickness(band.number, most) for band in flow.bands if band.origin is node)
        node.height = max(_thickness(node.number, most), into, out)
    for band in flow.bands:
        band.thickness = _thickness(band.number, most)


def _thickness(number: int, most: int) -> float:
    return max(_THINNEST, number / max(most, 1) * _ALL_ROWS)


def _place(flow: Flow) -> None:
    """Nodes of a column stand below each other, bands leave and arrive in the order they were added."""
    below = dict.fromkeys(range(len(_COLUMNS)), _TOP)
    for node in flow.nodes:
        node.top = below[node.column]
        below[node.column] += node.height + _GAP
    for band in flow.bands:
        band.leaves = band.origin.top + band.origin.given
        band.arrives = band.goal.top + band.goal.taken
        band.origin.given += band.thickness
        band.goal.taken += band.thickness


def _band(band: Band) -> Markup:
    left, right = _COLUMNS[band.origin.column] + _NODE, _COLUMNS[band.goal.column]
    # labels stand over the beginning of the first bands and over the end of the last: these stay level there
    bends = (0.85, 0.65) if band.origin.column == 0 else (0.35, 0.15) if band.goal.column == 4 else (0.5, 0.5)
    near, far = (left + (right - left) * bend for bend in bends)
    a, b, t = band.leaves, band.arrives, band.thickness
    path = (
        f"M{left} {a:.1f}C{near:.0f} {a:.1f} {far:.0f} {b:.1f} {right} {b:.1f}"
        f"v{t:.1f}C{far:.0f} {b + t:.1f} {near:.0f} {a + t:.1f} {left} {a + t:.1f}z"
    )
    title = f"{band.origin.name} to {band.goal.name}: {rows(band.number)}"
    return element("g", element("title", title), element("path", d=path), class_=f"band {band.goal.kind}")


def _node(node: Node) -> Markup:
    left = _COLUMNS[node.column]
    last = node.column == len(_COLUMNS) - 1
    x, anchor = (left + _NODE, "end") if last else (left, "start")
    name = element("tspan", node.name, class_="name")
    return element(
        "g",
        element("rect", x=left, y=node.top, width=_NODE, height=node.height, rx=3),
        element("text", name, " ", count(node.number), x=x, y=node.top - 22, text_anchor=anchor),
        element("text", node.note, x=x, y=node.top - 7, text_anchor=anchor, class_="note"),
        class_=f"node {node.kind}",
    )


def _hops(flow: Flow) -> Iterator[Markup]:
    """One item per column that has nodes; each node with a bar against the thickest."""
    most = max(node.number for node in flow.nodes)
    for column, title in enumerate(("Sent", "Broker", "Landed", "Checked", "Modelled")):
        nodes = [node for node in flow.nodes if node.column == column]
        if nodes:
            yield element("li", element("h3", title), [_hop(node, most) for node in nodes])


def _hop(node: Node, most: int) -> Markup:
    share = max(0.6, 100 * node.number / max(most, 1))  # percent; thinner than this is invisible
    return element(
        "div",
        element("span", node.name, element("small", node.note), class_="name"),
        element("b", count(node.number)),
        element("i", style=f"width:{share:.1f}%"),
        class_=f"hop {node.kind}",
    )
