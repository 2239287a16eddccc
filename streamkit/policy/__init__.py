"""Pure decisions: nothing here awaits, and time is an argument."""

from .clocks import Expired, Marks, expired, next_deadline
from .evidence import Evidence, completion_evidence
from .irrevocable import Irrevocable, OnRetract
from .ledger import Comparison, Ledger
from .reroute import ReroutePolicy

__all__ = [
    "Comparison",
    "Evidence",
    "Expired",
    "Irrevocable",
    "Ledger",
    "Marks",
    "OnRetract",
    "ReroutePolicy",
    "completion_evidence",
    "expired",
    "next_deadline",
]
