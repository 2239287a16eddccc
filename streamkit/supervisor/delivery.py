"""The log's only writer: what watchers are told, and that it is told once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import attrs

from ..events import (
    Event,
    Rerouted,
    ResponseStarted,
    Terminal,
    TextDelta,
    ToolCallCompleted,
    is_visible,
)
from ..pipeline import Clock, Log
from ..policy import Comparison, Ledger
from .timeline import Timeline

__all__ = ["Delivery"]


@attrs.define(eq=False)
class Delivery:
    """
    Write a run's events to its log; delivered means appended.

    What comes before an attempt's first visible event is held back, so that
    a failure before it leaves no trace. A later attempt is compared with
    what was delivered, as it arrives. Completed tool calls wait for the whole
    answer's evidence, so nothing a caller acts on is ever taken back.
    """

    log: Log
    hold_events: int
    timeline: Timeline
    clock: Clock
    _ledger: Ledger = attrs.field(factory=Ledger, init=False)
    _epoch: int = attrs.field(default=0, init=False)
    _held: list[Event] | None = attrs.field(default=None, init=False)
    """What is held back; None once the attempt showed something."""
    _comparison: Comparison | None = attrs.field(default=None, init=False)
    _calls: tuple[Event, ...] = attrs.field(default=(), init=False)
    _started: bool = attrs.field(default=False, init=False)
    _texted: bool = attrs.field(default=False, init=False)
    _plain: bool = attrs.field(default=False, init=False)
    """Whether a batch may be appended as it is."""

    def begin(self) -> None:
        """Begin an attempt: what an older one may still say is refused from now on."""
        self._epoch = self.log.begin()
        self._held = []
        self._plain = False
        self._calls = ()
        self._comparison = self._ledger.compare() if self._ledger else None

    def reroute(self, code: str, attempt: int) -> None:
        """Tell that the next attempt takes over."""
        self.log.append(self._epoch, (Rerouted(code, attempt),))

    @property
    def full(self) -> bool:
        """Whether the log's readers hold it up."""
        return self.log.full

    async def room(self) -> None:
        """Wait until they do no more."""
        await self.log.room()

    def deliver(self, batch: list[Event], /) -> None:
        """Take what came out of the stages; the terminal, last, completes the attempt."""
        if batch[-1].terminal:
            self._release(batch[:-1])
            self._complete()
        elif self._plain and ToolCallCompleted not in map(type, batch):
            # The hot path: nothing is held back, nothing compared, text was shown before.
            if self.log.append(self._epoch, batch):
                self._ledger.record(batch)
        else:
            self._release(batch)

    def end(self, terminal: Terminal) -> None:
        """Append the run's one terminal event."""
        self.log.append(self._epoch, (terminal,))

    def _release(self, batch: Sequence[Event]) -> None:
        """Take a batch while something is held back, or must be compared."""
        calls = [event for event in batch if isinstance(event, ToolCallCompleted)]
        self._calls = (*self._calls, *calls)
        events = [event for event in batch if not isinstance(event, ToolCallCompleted)]
        if self._held is not None:
            events = self._hold(self._held, events)
        self._append(self._compared(events))

    def _hold(self, held: list[Event], events: list[Event]) -> list[Event]:
        """Hold back what comes up to the first visible event; give what may be told, if any."""
        for number, event in enumerate(events, 1):
            held.append(event)
            if is_visible(event) or len(held) >= self.hold_events:
                self._held = None
                return held + events[number:]
        return []

    def _complete(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._append(self._compared(held))
        if self._comparison is not None:
            self._append(list(self._comparison.end()))
        self._append(self._calls)

    def _compared(self, events: Iterable[Event]) -> list[Event]:
        """Give what is new to those who saw the attempt before."""
        new = [e for e in events if not isinstance(e, ResponseStarted) or self._starts()]
        if self._comparison is None:
            return new
        return list(chain.from_iterable(map(self._comparison.feed, new)))

    def _starts(self) -> bool:
        """Whether the run is told to start for the first time."""
        if self._started:
            return False
        self._started = True
        return True

    def _append(self, events: Sequence[Event]) -> None:
        if not events or not self.log.append(self._epoch, events):
            return
        self._ledger.record(events)
        if not self._texted and any(type(event) is TextDelta for event in events):
            self._texted = True
            self.timeline.saw_text(self.clock.now())
        self._plain = self._texted and self._held is None and self._comparison is None
