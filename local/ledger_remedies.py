"""Every kind of difference between lake, ledger and broker: what it means in words, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`meaning` heads a list of differences of this kind, `remedy` ends it."""

    meaning: str
    remedy: str


_AGAIN = (
    "It derives from Bronze. Give an empty database (on one machine: move the lake's folder pg away) and run "
    "`nexus ledger rebuild`: what has lost its outputs is checked again, all else is kept"
)
_BACK = "Bring the object back from a copy of the lake (on S3: from the bucket's versions)"

KINDS: Mapping[str, Kind] = {
    "rebuild": Kind("the ledger's rebuild was broken off", "Run `nexus ledger rebuild` again: it goes on"),
    "unannounced": Kind(
        "in Bronze, not in the ledger",
        "`nexus up` has it checked: the sweep announces it. If it stays, the check's log says why it fails",
    ),
    "unchecked": Kind(
        "opened in the ledger and not committed",
        "`nexus up` has it checked: the sweep announces it. If it stays, the check's log says why it fails",
    ),
    "stranger": Kind(
        "under a Bronze key, but no object of ours: the check hop refuses it",
        "Find out who wrote it, and move it out of the Bronze bucket",
    ),
    "file": Kind(
        "a file in the lake's folder that is not what was stored there",
        "Bring it back from a copy of the lake; without one move it away: an output is then written again, a Bronze "
        "object is missing",
    ),
    "missing": Kind(
        "in the ledger, not in Bronze", f"{_BACK}. Its rows in Silver and Quarantine count as before"
    ),
    "replaced": Kind("not the Bronze object that was checked", f"{_BACK}, and find out who replaced it"),
    "overlap": Kind(
        "holds offsets that another object holds: not counted",
        "docs/runbooks/objects-overlap.md says how to tell which writer is at fault",
    ),
    "gone": Kind(
        "was gone when it was to be checked: its offsets are a hole", "docs/runbooks/objects-gone.md"
    ),
    "unbalanced": Kind(
        "rows or hash sums do not add up to the Bronze object",
        "Somebody changed the ledger by hand, or this is a defect to be reported. " + _AGAIN,
    ),
    "output missing": Kind("committed, but its file is not in the lake", _AGAIN),
    "output differs": Kind("its file is not what was committed", _AGAIN),
    "output extra": Kind(
        "Silver or Quarantine files that no revision in the ledger has written",
        "They count for nothing and Gold never reads them: delete them (of a lake on this machine: while nothing runs)",
    ),
    "positions": Kind(
        "landed offsets are not those of the committed objects",
        "Give an empty database (on one machine: move the lake's folder pg away) and run `nexus ledger rebuild`",
    ),
    "hole": Kind(
        "offsets below the landed ones that no Bronze object holds, without a reason",
        "A loss, unless the object can be brought back from a copy of the lake: docs/runbooks/objects-gone.md",
    ),
    "unlanded": Kind(
        "the broker holds offsets that are not in Bronze",
        "The writer lands them within seconds while the lake runs. If nothing moves, its log says why",
    ),
    "expired": Kind(
        "the broker has dropped offsets that were never landed",
        "They are lost. The next object of the partition names them as void; see docs/runbooks/landing-behind.md",
    ),
    "another history": Kind(
        "the broker ends before what was landed from it",
        "Its topic was made anew: stop, and start with a new log id (`nexus up --broker HOST:PORT --log NAME`); "
        "then `nexus ledger close OLD-LOG`",
    ),
    "not closed": Kind(
        "a log whose broker is gone was never closed",
        "`nexus up` closes it, and names what was acknowledged and never landed",
    ),
    "note": Kind(
        "the lake says more of a closed log than the ledger", "`nexus up` takes it over into the ledger"
    ),
    "void": Kind(
        "void in the ledger, and nothing in the lake says why",
        "A rebuilt ledger would call it a hole. Bring `_logs/` of the Bronze bucket back from a copy",
    ),
    "load": Kind(
        "a batch file whose records are not all committed",
        "Load the same file once more (`nexus load ENTITY FILE`): it goes on where it stopped",
    ),
}
