"""
When an attempt has waited long enough: pure, time is an argument.

An attempt only stamps `Marks`; `next_deadline` and `expired` read them. The
clocks of the stream run only while the transport waits for a read: while it
is held back by a slow consumer, `Marks.hold` stops them.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import attrs

from ..limits import Limits
from .gaps import Gaps

__all__ = ["Expired", "Marks", "expired", "next_deadline"]


@attrs.frozen
class Expired:
    """The clock that ran out."""

    clock: str
    """The field of `streamkit.Limits`."""
    seconds: float

    @property
    def ends_attempt(self) -> bool:
        """Whether it ends the whole attempt, not only the read."""
        return self.clock in ("total", "buffered_total")


@attrs.define(eq=False)
class Marks:
    """When things happened in one attempt (seconds, of one clock)."""

    run_started: float
    started: float
    buffered: bool = False
    """Whether this is the buffered attempt, which has a clock of its own."""
    byte: float | None = None
    """When the first byte of the body came."""
    first_progress: float | None = None
    """When the first delta came."""
    progress: float | None = None
    """When the last delta came."""
    alive: float | None = None
    """When bytes last came, keep-alives among them; None where nobody asks."""
    gaps: Gaps = attrs.field(factory=Gaps)
    """How long it was silent between deltas."""
    finished: float | None = None
    """When the answer got its finish reason."""
    over: bool = False
    """Whether the reading was ended: only what bounds the whole attempt still counts."""
    _held: float | None = attrs.field(default=None, init=False)

    def hold(self, now: float) -> None:
        """Stop the stream's clocks: the transport waits for its reader, not for a read."""
        self._held = now

    def release(self, now: float) -> None:
        """Go on, as if the time in between had not been."""
        if self._held is None:
            return
        gap, self._held = now - self._held, None
        self.started += gap
        if self.progress is not None:  # stamped while held, it counts from now
            self.progress = min(self.progress + gap, now)
        if self.finished is not None:
            self.finished = min(self.finished + gap, now)
        if self.alive is not None:
            self.alive = min(self.alive + gap, now)

    def progressed(self, now: float) -> bool:
        """
        Note a delta. Behind a finish reason it says that this was not the end (quirk 102).

        Returns:
            Whether it is the first.
        """
        before, self.progress, self.finished = self.progress, now, None
        if before is None:
            self.first_progress = now
            return True
        self.gaps.add(now - before)
        return False

    @property
    def held(self) -> bool:
        """Whether the stream's clocks stand still."""
        return self._held is not None


def next_deadline(marks: Marks, limits: Limits) -> float:
    """Give the earliest time at which a clock of *limits* runs out."""
    return min(when for when, _ in _deadlines(marks, limits))


def expired(marks: Marks, limits: Limits, now: float) -> Expired | None:
    """Give the clock that ran out first, or None while none has."""
    when, clock = min(_deadlines(marks, limits))
    return Expired(clock, getattr(limits, clock)) if when <= now else None


def _deadlines(marks: Marks, limits: Limits) -> Iterator[tuple[float, str]]:
    yield marks.run_started + limits.total, "total"
    if marks.buffered:
        yield marks.started + limits.buffered_total, "buffered_total"
    elif not (marks.held or marks.over):
        yield from _stream_deadlines(marks, limits)


def _stream_deadlines(marks: Marks, limits: Limits) -> Iterator[tuple[float, str]]:
    if marks.byte is None:
        yield marks.started + limits.first_byte, "first_byte"
    if marks.finished is not None:
        yield marks.finished + limits.drain, "drain"
        return
    thinks_until = -inf
    if limits.liveness is not None and marks.alive is not None:
        thinks_until = marks.alive + limits.liveness
    if marks.progress is None:
        yield max(marks.started + limits.first_content, thinks_until), "first_content"
    else:
        yield max(marks.progress + limits.idle, thinks_until), "idle"
