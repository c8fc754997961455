"""What the lake alone tells of a Bronze object: which revisions of its outputs count, from footers and nothing else.

A revision is *whole* when its Silver and, where its footer names one, its Quarantine are there and say the same. A
check judges all rows of its object, a replay those that the revision it follows held: so a revision counts together
with those it follows, and only when all of them add up to the Bronze object, by rows and by hash sum. Of those that
another follows, Quarantine may have been removed. Of several that add up, the ledger has abandoned all but one (see
`settle`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from lakehouse.balance import Amount
from lakehouse.bronze import BronzeMetadata
from lakehouse.footer import OutputFooter

_DOUBT = "several revisions could be the committed one: it is checked once more, as the next revision"
_ROTTEN = "its newest outputs cannot be read or do not add up: it is checked once more, as the next revision"


@dataclass(frozen=True)
class FoundRevision:
    """A revision's outputs. `footer` None: none of its files can be read; `written_at`: when its last file was.

    `lacks_quarantine`: it would be whole but for its Quarantine, which is not there.
    """

    revision: int
    footer: OutputFooter | None
    whole: bool
    written_at: datetime
    published: bool = False  # Gold was made of its Silver
    lacks_quarantine: bool = False


@dataclass(frozen=True)
class ObjectAccount:
    """A Bronze object and its revisions; `etag` and `size` are those that were checked.

    `committed` in ascending order; `unfinished`: the revision an attempt goes on with. `doubt` says in words why an
    object that has outputs is to be checked again.
    """

    metadata: BronzeMetadata
    etag: str
    size: int
    seen_at: datetime
    revisions: Mapping[int, FoundRevision] = field(default_factory=dict)
    committed: tuple[int, ...] = ()
    unfinished: int | None = None
    doubt: str = ""

    @property
    def key(self) -> str:
        """The Bronze key."""
        return str(self.metadata.key)

    @property
    def newest(self) -> FoundRevision | None:
        """The newest committed revision."""
        return self.revisions[self.committed[-1]] if self.committed else None


def settle(
    metadata: BronzeMetadata, etag: str, size: int, seen_at: datetime, found: Collection[FoundRevision]
) -> ObjectAccount:
    """Which of the revisions found count. Pure; the same in any order.

    The one that Gold was made of, else the highest: by the protocol it was opened when those below were abandoned. One
    below that was written later may be another ledger's, which knew nothing of the higher: then nobody can tell.
    """
    revisions = {f.revision: f for f in sorted(found, key=lambda f: f.revision)}
    start = ObjectAccount(metadata, etag, size, seen_at, revisions)
    if not revisions:
        return replace(start, unfinished=0)
    chains = [chain for top in revisions if (chain := chain_of(revisions, top, metadata))]
    heads = [c for c in chains if not any(c[-1] in other[:-1] for other in chains)]
    published = [c for c in heads if revisions[c[-1]].published]
    if len(published) == 1:
        return replace(start, committed=published[0])
    top = revisions[max(revisions)]
    highest = next((c for c in heads if c[-1] == top.revision), None)
    if highest is None:
        return _unfinished(start, top)
    rivals = [revisions[c[-1]] for c in heads if c is not highest]
    if top.footer and top.footer.follows is None and any(r.written_at > top.written_at for r in rivals):
        return replace(start, unfinished=top.revision + 1, doubt=_DOUBT)
    return replace(start, committed=highest)


def chain_of(
    revisions: Mapping[int, FoundRevision], top: int, metadata: BronzeMetadata
) -> tuple[int, ...] | None:
    """The revisions that `top` stands on and itself, ascending, if they add up to the Bronze object; else None."""
    chain, rest = [], Amount(metadata.rows, metadata.hash_sum)
    number: int | None = top
    while number is not None:
        found = revisions.get(number)
        if found is None or found.footer is None:
            return None
        if not found.whole and (number == top or not found.lacks_quarantine):
            return None
        rest -= found.footer.silver
        if number == top:
            rest -= found.footer.quarantine
        chain.append(number)
        follows = found.footer.follows
        if follows is not None and follows >= number:
            return None
        number = follows
    return tuple(reversed(chain)) if rest == Amount() else None


def _unfinished(start: ObjectAccount, top: FoundRevision) -> ObjectAccount:
    """The newest revision was never finished: an attempt with the same rules goes on, another opens the next."""
    base: tuple[int, ...] = ()
    if top.footer is None or top.whole:
        return replace(start, unfinished=top.revision + 1, doubt=_ROTTEN)
    if top.footer.follows is not None:
        base = chain_of(start.revisions, top.footer.follows, start.metadata) or ()
        if not base:
            return replace(start, unfinished=top.revision + 1, doubt=_ROTTEN)
    return replace(start, committed=base, unfinished=top.revision)
