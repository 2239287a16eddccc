"""The one task of a client that keeps the clocks of all its attempts."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final

import anyio
import attrs

from ..limits import Limits
from ..pipeline import Clock
from ..policy import Expired, Marks, expired, next_deadline

__all__ = ["Watch", "Watched"]

_NOBODYS: Final = Marks(inf, inf)
_LITTER: Final = 64
"""Entries of nobody that are kept whatever the rest is (a count)."""


@attrs.define(eq=False)
class Watched:
    """An attempt under watch."""

    due: float
    """When it is looked at next, at the latest (seconds of the clock)."""
    marks: Marks
    expire: Callable[[Expired], None] | None
    """Called once per clock that ran out; None where nobody is watched here any more."""

    def __lt__(self, other: Watched) -> bool:
        return self.due < other.due  # all that a heap asks


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
    _watched: list[Watched] = attrs.field(factory=list, init=False)
    """A heap, the next first."""
    _living: int = attrs.field(default=0, init=False)
    """How many of them are somebody (a count)."""
    _poked: anyio.Event = attrs.field(factory=anyio.Event, init=False)

    def add(self, marks: Marks, expire: Callable[[Expired], None]) -> Watched:
        """Begin to watch; give what `poke` and `remove` want."""
        return self._add(next_deadline(marks, self.limits), marks, expire)

    def _add(self, due: float, marks: Marks, expire: Callable[[Expired], None]) -> Watched:
        watched = Watched(due, marks, expire)
        self._living += 1
        heappush(self._watched, watched)
        if self._watched[0] is watched:
            self._poked.set()
        return watched

    def remove(self, watched: Watched) -> None:
        """Stop watching."""
        self._forget(watched)
        if len(self._watched) > 2 * self._living + _LITTER:
            self._watched = [each for each in self._watched if each.expire is not None]
            heapify(self._watched)

    def poke(self, watched: Watched) -> Watched:
        """Look again where its deadline came nearer; give what stands for it from now on."""
        marks, expire = watched.marks, watched.expire
        if expire is None or (due := next_deadline(marks, self.limits)) >= watched.due:
            return watched
        self._forget(watched)
        return self._add(due, marks, expire)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._poked = anyio.Event()
            self._expire(self.clock.now())
            await self.clock.wait(self._poked, self._watched[0].due if self._watched else inf)

    def _forget(self, watched: Watched) -> None:
        if watched.expire is not None:
            watched.marks, watched.expire = _NOBODYS, None
            self._living -= 1

    def _expire(self, now: float) -> None:
        """Expire what is due, and note when to look again."""
        while self._watched and self._watched[0].due <= now:
            watched = heappop(self._watched)
            if watched.expire is None:
                continue
            ran_out = expired(watched.marks, self.limits, now)
            if ran_out is not None:
                watched.expire(ran_out)
                if ran_out.ends_attempt:
                    self._forget(watched)
                    continue
                watched.marks.over = True
            watched.due = next_deadline(watched.marks, self.limits)
            heappush(self._watched, watched)
