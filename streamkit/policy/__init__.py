"""Pure decisions: nothing here awaits, and time is an argument."""

from .clocks import Expired, Marks, expired, next_deadline
from .evidence import Evidence, completion_evidence
from .ledger import Comparison, Ledger
from .reroute import ReroutePolicy

__all__ = [
    "Comparison",
    "Evidence",
    "Expired",
    "Ledger",
    "Marks",
    "ReroutePolicy",
    "completion_evidence",
    "expired",
    "next_deadline",
]
