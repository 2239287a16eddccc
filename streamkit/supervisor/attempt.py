"""One call to the provider, with stages of its own."""

from __future__ import annotations

from typing import Any

import anyio
import attrs

from ..errors import Stalled, StreamkitError
from ..limits import Limits
from ..pipeline import Clock, Line, Pipeline, Source, Taps
from ..policy import Expired, Marks
from ..response import Response
from .delivery import Delivery
from .timeline import Timeline
from .watch import Watch, Watched

__all__ = ["Attempt"]


@attrs.define(eq=False)
class Attempt:
    """One call to the provider: fresh stages, its own clocks, one verdict."""

    source: Source
    request: dict[str, Any]
    limits: Limits
    clock: Clock
    timeline: Timeline
    watch: Watch
    delivery: Delivery
    _scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope, init=False)
    _line: Line | None = attrs.field(default=None, init=False)
    _marks: Marks | None = attrs.field(default=None, init=False)
    _cause: Stalled | None = attrs.field(default=None, init=False)

    async def run(self, pipeline: Pipeline) -> Response:
        """
        Make the call and take the answer through the stages.

        Raises:
            Exception: whatever broke; what was delivered before stays delivered.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()  # nothing is asked for a run that is over
        marks = Marks(
            self.timeline.started,
            self.clock.now(),
            self.source.buffered,
            gaps=self.timeline.gaps,
        )
        self._marks = marks
        self.timeline.attempts += 1
        self.delivery.begin()
        line = self._line = pipeline.line(
            marks=marks,
            clock=self.clock,
            poke=lambda: self.watch.poke(marks),
            deliver=self.delivery.deliver,
            is_full=lambda: self.delivery.log.full,
            room=self.delivery.log.room,
        )
        watched = Watched(marks, self._expire)
        self.watch.add(watched)
        try:
            with self._scope:
                return await line.run(self.source, self.request, self._taps(marks))
        except StreamkitError as error:
            error.mask(*getattr(self.source, "secrets", ()))
            raise
        finally:
            self.watch.remove(watched)
            self.timeline.saw_progress(marks)
        if line.response is not None and line.broken is None:
            return line.response  # it was whole before the time was up
        assert self._cause is not None  # noqa: S101 (only the watch cancels this scope)
        raise self._cause

    def partial(self) -> Response | None:
        """Give the answer as far as it came; None before the stages were made."""
        return self._line.partial() if self._line is not None else None

    @property
    def tools_ran(self) -> bool:
        """Whether a tool ran at the provider: another attempt would run it again."""
        return self._line is not None and self._line.tools_ran

    def _expire(self, ran_out: Expired) -> None:
        self._cause = Stalled(ran_out.clock, ran_out.seconds)
        line = self._line
        if line is not None and (not ran_out.ends_attempt or self._finished):
            # What broke off travels in band, and evidence of a whole answer pardons it.
            line.cause = self._cause
            line.reading.cancel()
            if ran_out.ends_attempt:
                self._scope.deadline = anyio.current_time() + self.limits.finalise
        else:
            self._scope.cancel()

    @property
    def _finished(self) -> bool:
        return self._marks is not None and self._marks.finished is not None

    def _taps(self, marks: Marks) -> Taps:
        liveness = self.limits.liveness is not None

        def on_bytes() -> None:
            if marks.byte is None or liveness:
                marks.alive = self.clock.now()
            if marks.byte is None:
                marks.byte = marks.alive
                self.timeline.saw_byte(self.clock.now())

        return Taps(
            on_bytes=on_bytes,
            max_frame_bytes=self.limits.max_frame_bytes,
            max_response_bytes=self.limits.max_response_bytes,
            connect=self.limits.connect,
            close=self.limits.finalise,
        )
