"""When things happened in a run."""

from __future__ import annotations

import attrs

from ..policy import Gaps, Marks
from ..response import Timings

__all__ = ["Timeline"]


@attrs.define(eq=False)
class Timeline:
    """When things happened in a run, attempts together (seconds of the run's clock)."""

    started: float
    attempts: int = 0
    gaps: Gaps = attrs.field(factory=Gaps)
    _byte: float | None = None
    _progress: float | None = None
    _text: float | None = None

    def saw_byte(self, now: float) -> None:
        """Note the first byte."""
        self._byte = now if self._byte is None else self._byte

    def saw_progress(self, marks: Marks) -> None:
        """Note the first delta."""
        if self._progress is None:
            self._progress = marks.first_progress

    def saw_text(self, now: float) -> None:
        """Note the first text."""
        self._text = now if self._text is None else self._text

    def timings(self, now: float) -> Timings:
        """Give it all in seconds since the run began."""
        return Timings(
            first_byte=self._since(self._byte),
            first_progress=self._since(self._progress),
            first_text=self._since(self._text),
            gap_median=self.gaps.quantile(0.5),
            gap_p99=self.gaps.quantile(0.99),
            total=now - self.started,
            attempts=self.attempts,
        )

    def _since(self, when: float | None) -> float | None:
        return None if when is None else when - self.started
