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
    _line: Line | None = attrs.field(default=None, init=False)
    _marks: Marks = attrs.field(init=False)
    _watched: Watched | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        timeline = self.timeline
        self._marks = Marks(
            timeline.started, self.clock.now(), self.source.buffered, gaps=timeline.gaps
        )

    async def run(self, pipeline: Pipeline) -> Response:
        """
        Make the call and take the answer through the stages.

        Raises:
            Exception: whatever broke; what was delivered before stays delivered.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()  # nothing is asked for a run that is over
        self.timeline.attempts += 1
        self.delivery.begin()
        line = self._line = pipeline.line(
            marks=self._marks, clock=self.clock, poke=self._poke, delivery=self.delivery
        )
        self._watched = self.watch.add(self._marks, self._expire)
        try:
            await line.drive(self.source, self.request, self._taps())
            return line.verdict()
        except StreamkitError as error:
            error.mask(*getattr(self.source, "secrets", ()))
            raise
        finally:
            self.watch.remove(self._watched)
            line.poke = _nobody  # or each would keep the other, until the collector comes by
            self.timeline.saw_progress(self._marks)

    def partial(self) -> Response | None:
        """Give the answer as far as it came; None before the stages were made."""
        return self._line.partial() if self._line is not None else None

    @property
    def tools_ran(self) -> bool:
        """Whether a tool ran at the provider: another attempt would run it again."""
        return self._line is not None and self._line.tools_ran

    def _poke(self) -> None:
        if self._watched is not None:
            self._watched = self.watch.poke(self._watched)

    def _expire(self, ran_out: Expired) -> None:
        """Break the reading off; evidence of a whole answer pardons what is told of it."""
        within = None
        if ran_out.ends_attempt:  # those who hold an answer that is whole have a moment for it
            within = 0.0 if self._marks.finished is None else self.limits.finalise
        if self._line is not None:
            self._line.break_off(Stalled(ran_out.clock, ran_out.seconds), within)

    def _saw_bytes(self) -> None:
        marks = self._marks
        if marks.byte is None or self.limits.liveness is not None:
            marks.alive = self.clock.now()
        if marks.byte is None:
            marks.byte = marks.alive
            self.timeline.saw_byte(self.clock.now())

    def _taps(self) -> Taps:
        return Taps(
            on_bytes=self._saw_bytes,
            max_frame_bytes=self.limits.max_frame_bytes,
            max_response_bytes=self.limits.max_response_bytes,
            connect=self.limits.connect,
            close=self.limits.finalise,
        )


def _nobody() -> None:
    """Poke an attempt that is over."""
