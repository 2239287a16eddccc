"""The one task of a client that keeps the clocks of all its attempts."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Final

import anyio
import attrs

from ..limits import Limits
from ..pipeline import Clock
from ..policy import Expired, Marks, expired, next_deadline

__all__ = ["Watch", "Watched"]

_LITTER: Final = 64
"""Dates of nobody that are kept whatever the rest is (a count)."""


@attrs.define(eq=False)
class Watched:
    """An attempt under watch."""

    marks: Marks
    expire: Callable[[Expired], None]
    """Called once per clock that ran out."""
    date: _Date | None = attrs.field(default=None, init=False)
    """When it is looked at next."""


@attrs.define(order=True)
class _Date:
    """When to look, and at whom: nobody, where that one has ended, or is due before."""

    due: float
    number: int
    watched: Watched | None = attrs.field(eq=False)


@attrs.define(eq=False)
class Watch:
    """
    The deadlines of all attempts, kept by one task.

    An attempt only stamps its marks, which costs nothing per chunk; the watch
    looks at it when the deadline it last knew of is due, and at no other. So
    what a silence costs does not grow with the attempts beside it.
    """

    limits: Limits
    clock: Clock
    _dates: list[_Date] = attrs.field(factory=list, init=False)
    """A heap, the next first."""
    _living: int = attrs.field(default=0, init=False)
    """How many of them are somebody's (a count)."""
    _number: Callable[[], int] = attrs.field(factory=lambda: count().__next__, init=False)
    _poked: anyio.Event = attrs.field(factory=anyio.Event, init=False)

    def add(self, watched: Watched) -> None:
        """Begin to watch."""
        self.poke(watched)

    def remove(self, watched: Watched) -> None:
        """Stop watching."""
        self._forget(watched)
        if len(self._dates) > 2 * self._living + _LITTER:
            self._dates = [date for date in self._dates if date.watched is not None]
            heapify(self._dates)

    def poke(self, watched: Watched) -> None:
        """Look again where a deadline came nearer than the one known of."""
        due = next_deadline(watched.marks, self.limits)
        if watched.date is None or due < watched.date.due:
            self._forget(watched)
            self._note(watched, due)
            if self._dates[0].watched is watched:
                self._poked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._poked = anyio.Event()
            self._expire(self.clock.now())
            await self.clock.wait(self._poked, self._dates[0].due if self._dates else inf)

    def _note(self, watched: Watched, due: float) -> None:
        watched.date = _Date(due, self._number(), watched)
        self._living += 1
        heappush(self._dates, watched.date)

    def _forget(self, watched: Watched) -> None:
        if watched.date is not None:
            watched.date.watched, watched.date = None, None
            self._living -= 1

    def _expire(self, now: float) -> None:
        """Expire what is due, and note when to look again."""
        while self._dates and self._dates[0].due <= now:
            watched = heappop(self._dates).watched
            if watched is None:
                continue
            self._forget(watched)
            ran_out = expired(watched.marks, self.limits, now)
            if ran_out is not None:
                watched.expire(ran_out)
                if ran_out.ends_attempt:
                    continue
                watched.marks.over = True
            self._note(watched, next_deadline(watched.marks, self.limits))
