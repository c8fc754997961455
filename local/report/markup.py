"""HTML and SVG elements whose text is always escaped: only what this module made passes as it is."""

from collections.abc import Iterable
from html import escape


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """An element. `class_` and `for_` lose their underscore, other underscores become dashes; None leaves out.

    Children are elements, text, numbers, None, or iterables of these.
    """
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_attribute(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY:
        return Markup(f"<{tag}{pairs}/>")
    return Markup(f"<{tag}{pairs}>{join(children)}</{tag}>")


def join(children: object) -> Markup:
    """Children one after the other, text escaped."""
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return Markup(escape(children))
    if isinstance(children, Iterable):
        return Markup("".join(join(child) for child in children))
    return Markup(escape(str(children)))


_EMPTY = frozenset({"meta", "rect", "path", "line"})


def _attribute(value: object) -> str:
    # two decimals are below what a screen can show and keep the page small
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
