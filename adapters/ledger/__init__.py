"""The ledger: which object holds which offsets, what became of its rows, and what nobody will ever see."""

from adapters.ledger.client import Ledger
from adapters.ledger.records import Opened, Outcome, Pins, SeenObject, Settled, Verdict

__all__ = ["Ledger", "Opened", "Outcome", "Pins", "SeenObject", "Settled", "Verdict"]
