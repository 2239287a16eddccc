"""Time, injected: the one place that asks what time it is."""

from __future__ import annotations

import time
from typing import Protocol

import anyio

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Seconds that only grow, and a way to wait for them."""

    def now(self) -> float:
        """Give the time, in seconds since some fixed moment."""

    async def wait(self, event: anyio.Event, until: float) -> None:
        """Wait for *event*, at most until that time; infinity waits for the event alone."""


class SystemClock:
    """The machine's monotonic clock."""

    now = staticmethod(time.monotonic)

    async def wait(self, event: anyio.Event, until: float) -> None:
        """Wait for *event*, at most until that time."""
        with anyio.move_on_after(until - time.monotonic()):
            await event.wait()
