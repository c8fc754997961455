"""Puts functions around moto's own. moto has no hooks, so its version is pinned and a test reads what is wrapped."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Original = Callable[..., Any]


class Hook(NamedTuple):
    """`around(original, *args, **kwargs)` is called in place of `owner.name`; owner is a class or module."""

    owner: Any
    name: str
    around: Callable[..., Any]

    def __str__(self) -> str:
        module = getattr(self.owner, "__module__", None)
        return (
            f"{module}.{self.owner.__name__}.{self.name}" if module else f"{self.owner.__name__}.{self.name}"
        )


def install(hooks: Iterable[Hook]) -> None:
    """Wrap each, for the rest of this process. Not idempotent: twice wraps twice."""
    for hook in hooks:
        setattr(hook.owner, hook.name, _wrap(getattr(hook.owner, hook.name), hook.around))


def _wrap(original: Original, around: Callable[..., Any]) -> Original:
    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    return wrapped
