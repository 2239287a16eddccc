"""Pure decisions: nothing here awaits, and time is an argument."""

from .clocks import Expired, Marks, expired, next_deadline
from .evidence import RULES, Evidence, Ruling, Seen, Verdict, judge
from .gaps import Gaps
from .irrevocable import Irrevocable, OnRetract
from .ledger import Comparison, Ledger
from .reroute import ReroutePolicy

__all__ = [
    "RULES",
    "Comparison",
    "Evidence",
    "Expired",
    "Gaps",
    "Irrevocable",
    "Ledger",
    "Marks",
    "OnRetract",
    "ReroutePolicy",
    "Ruling",
    "Seen",
    "Verdict",
    "expired",
    "judge",
    "next_deadline",
]
