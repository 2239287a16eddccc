"""
Where a run's events live, and how they are read.

`MemoryLog` keeps them in one process; `RedisLog` shares them between many, and
needs the extra ``streamkit[redis]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MisuseError
from .cursor import Cursor
from .fold import Fold
from .log import Claim, DistantLog, Owner, RunLog, SharedLog
from .memory import MemoryLog
from .policy import Block, Coalesce, Disconnect, DropDeltas, Policy

if TYPE_CHECKING:
    from .redis import RedisLog

__all__ = [
    "Block",
    "Claim",
    "Coalesce",
    "Cursor",
    "Disconnect",
    "DistantLog",
    "DropDeltas",
    "Fold",
    "MemoryLog",
    "Owner",
    "Policy",
    "RedisLog",
    "RunLog",
    "SharedLog",
]


def __getattr__(name: str) -> Any:
    """Give `RedisLog`, which alone needs redis-py."""
    if name != "RedisLog":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .redis import RedisLog  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise MisuseError(
            "expected redis-py to be installed; it is not; pip install 'streamkit[redis]'"
        ) from None
    return RedisLog
