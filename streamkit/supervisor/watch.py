"""The one task of a client that keeps the clocks of all its attempts."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import anyio
import attrs

from ..limits import Limits
from ..pipeline import Clock
from ..policy import Expired, Marks, expired, next_deadline

__all__ = ["Watch", "Watched"]


@attrs.define(eq=False)
class Watched:
    """An attempt under watch."""

    marks: Marks
    expire: Callable[[Expired], None]
    """Called once per clock that ran out."""


@attrs.define(eq=False)
class Watch:
    """
    The deadlines of all attempts, kept by one task.

    An attempt only stamps its marks, which costs nothing per chunk; the watch
    looks at them when the nearest deadline it knew of is due.
    """

    limits: Limits
    clock: Clock
    _watched: set[Watched] = attrs.field(factory=set, init=False)
    _poked: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _due: float = attrs.field(default=inf, init=False)

    def add(self, watched: Watched) -> None:
        """Begin to watch."""
        self._watched.add(watched)
        self.poke(watched.marks)

    def remove(self, watched: Watched) -> None:
        """Stop watching."""
        self._watched.discard(watched)

    def poke(self, marks: Marks) -> None:
        """Look again where a deadline came nearer than the one slept for."""
        if next_deadline(marks, self.limits) < self._due:
            self._poked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._poked = anyio.Event()
            self._due = self._expire(self.clock.now())
            await self.clock.wait(self._poked, self._due)

    def _expire(self, now: float) -> float:
        """Expire what is due; give when to look again."""
        due = inf
        for watched in list(self._watched):
            ran_out = expired(watched.marks, self.limits, now)
            if ran_out is not None:
                watched.expire(ran_out)
                if ran_out.ends_attempt:
                    self.remove(watched)
                    continue
                watched.marks.over = True
            due = min(due, next_deadline(watched.marks, self.limits))
        return due
