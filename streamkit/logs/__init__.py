"""Where a run's events live, and how they are read."""

from .cursor import Cursor
from .fold import Fold
from .memory import MemoryLog
from .policy import Block, Coalesce, Disconnect, DropDeltas, Policy

__all__ = [
    "Block",
    "Coalesce",
    "Cursor",
    "Disconnect",
    "DropDeltas",
    "Fold",
    "MemoryLog",
    "Policy",
]
