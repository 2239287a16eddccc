"""What a watcher has seen, retractions applied: folded by hand, as a page would."""

from collections.abc import Iterable
from typing import Any, Self

import anyio
import attrs

from streamkit.events import (
    Event,
    Finished,
    ReasoningDelta,
    Rerouted,
    ResponseStarted,
    Retracted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
)
from streamkit.response import ToolCall

from .answers import Args, Call, Piece, Text, Think, Truth

__all__ = ["View"]


@attrs.define(eq=False)
class View:
    """What a watcher has seen."""

    truth: Truth = attrs.field(factory=Truth)
    completed: list[tuple[int, ToolCall]] = attrs.field(factory=list)
    """Calls to act upon, with their choice."""
    retracted: list[Retracted] = attrs.field(factory=list)
    terminals: list[Event] = attrs.field(factory=list)
    reroutes: list[Rerouted] = attrs.field(factory=list)
    writing: set[int] = attrs.field(factory=set)
    """Choices where a call is being written: which, is not known yet."""
    reasons: dict[int, str] = attrs.field(factory=dict)
    """The finish reasons that were told, by choice."""
    odd: list[str] = attrs.field(factory=list)
    """Which rules of a log were broken."""
    _started: bool = False

    @classmethod
    def folded(cls, events: Iterable[Event]) -> Self:
        """Fold *events*."""
        view = cls()
        for event in events:
            view.add(event)
        return view

    @classmethod
    async def of(cls, events: Any, pause: float = 0.0) -> Self:
        """Read *events* to their end, with a *pause* (seconds) at each."""
        view = cls()
        async for event in events:
            view.add(event)
            if pause:
                await anyio.sleep(pause)
        return view

    def add(self, event: Event) -> None:
        """Fold in one event."""
        if self.terminals:
            self.odd.append(f"{event!r} behind the terminal")
        if event.terminal:
            self.terminals.append(event)
        elif isinstance(event, Retracted):
            self._retract(event)
        elif isinstance(event, ToolCallCompleted):
            self.completed.append((event.choice, event.tool_call))
        elif isinstance(event, Finished):
            self.reasons[event.choice] = event.reason
        elif isinstance(event, Rerouted):
            self.reroutes.append(event)
        elif isinstance(event, ResponseStarted):
            if self._started:
                self.odd.append("a second start")
            self._started = True
        elif (piece := _piece(event)) is not None:
            self._say(piece)

    def is_level(self, other: "View") -> bool:
        """Whether the two have seen the same of an answer."""
        return (self.truth, self.reasons) == (other.truth, other.reasons)

    def _say(self, piece: Piece) -> None:
        calls = self.truth.calls.get(piece.choice, ())
        if isinstance(piece, Args) and piece.number >= len(calls):
            self.writing.add(piece.choice)
        else:
            self.truth.add(piece)

    def _retract(self, event: Retracted) -> None:
        self.retracted.append(event)
        shown = {
            "text": self.truth.text,
            "reasoning": self.truth.reasoning,
            "tool_calls": self.truth.calls,
        }
        written = event.channel == "tool_calls" and event.choice in self.writing
        if written:
            self.writing.discard(event.choice)
        if shown[event.channel].pop(event.choice, None) is None and not written:
            self.odd.append(f"{event!r}, and nothing was shown there")
        if self.completed:
            self.odd.append(f"{event!r} behind a completed call")


def _piece(event: Event) -> Piece | None:
    if isinstance(event, TextDelta):
        return Text(event.text, event.choice)
    if isinstance(event, ReasoningDelta):
        return Think(event.text, event.choice)
    if isinstance(event, ToolCallStarted):
        return Call(event.call, event.id, event.name, event.choice)
    if isinstance(event, ToolCallDelta):
        return Args(event.call, event.arguments, event.choice)
    return None
