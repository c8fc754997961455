"""The check hop's queue, as the sweep sees it."""

from collections.abc import Sequence


class FakeQueue:
    """A queue that already holds so many messages."""

    def __init__(self, held: int = 0) -> None:
        self._held = held
        self.sent: list[str] = []

    def depth(self) -> int:
        return self._held

    def send(self, bodies: Sequence[str]) -> None:
        self.sent += bodies
