"""Where a run's events are fanned out from: its log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from ..logs import MemoryLog

__all__ = ["EventFanout"]


@attrs.frozen
class EventFanout:
    """Give each run its log; a subscriber is a cursor into it."""

    log: Callable[[str], Any] = MemoryLog
    """Makes the log of a run from the run's id."""

    def open_log(self, run_id: str, /) -> Any:
        """Open the log of a new run."""
        return self.log(run_id)
