"""Pure decisions: nothing here awaits, and time is an argument."""

from .breaker import Breaker, BreakerState
from .clocks import Expired, Marks, expired, next_deadline
from .evidence import RULES, Evidence, Ruling, Seen, Verdict, judge
from .gaps import Gaps
from .irrevocable import Irrevocable, OnRetract
from .ledger import Comparison, Ledger
from .reroute import Next, Plan, ReroutePolicy, is_hopeless, is_transient

__all__ = [
    "RULES",
    "Breaker",
    "BreakerState",
    "Comparison",
    "Evidence",
    "Expired",
    "Gaps",
    "Irrevocable",
    "Ledger",
    "Marks",
    "Next",
    "OnRetract",
    "Plan",
    "ReroutePolicy",
    "Ruling",
    "Seen",
    "Verdict",
    "expired",
    "is_hopeless",
    "is_transient",
    "judge",
    "next_deadline",
]
