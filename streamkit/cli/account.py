"""What a watcher saw of one run: every event, and what they show, retractions applied."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ..events import (
    Event,
    ReasoningDelta,
    Rerouted,
    Retracted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
)
from ..response import ToolCall

__all__ = ["Account", "Passage", "Reroute"]


@attrs.define(eq=False)
class Passage:
    """Deltas of one channel that stand together: a paragraph of it, or one tool call."""

    channel: str
    attempt: int
    """The attempt it came from (1 is the stream)."""
    pieces: list[str] = attrs.field(factory=list)
    call: int | None = None
    tool_call: ToolCall | None = None
    """The call once it is whole; until then its pieces are all there is."""
    retracted: bool = False

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(self.pieces)


@attrs.frozen
class Reroute:
    """One reroute: why, and how much text had been delivered by then (characters)."""

    code: str
    after: int


@attrs.define(eq=False)
class Account:
    """What a watcher saw of one run. The demo's runs have one choice."""

    events: list[Event] = attrs.field(factory=list, init=False)
    passages: list[Passage] = attrs.field(factory=list, init=False)
    reroutes: list[Reroute] = attrs.field(factory=list, init=False)
    retracted: list[str] = attrs.field(factory=list, init=False)
    """The channels taken back, in order."""

    def take(self, event: Event) -> None:
        """Take the next event of the run."""
        self.events.append(event)
        if isinstance(event, TextDelta | ReasoningDelta):
            self._passage(event.channel or "").pieces.append(event.text)
        elif isinstance(event, ToolCallStarted | ToolCallDelta | ToolCallCompleted):
            self._take_tool(event)
        elif isinstance(event, Rerouted):
            self.reroutes.append(Reroute(event.code, len(self.text())))
        elif isinstance(event, Retracted):
            self._retract(event.channel)

    def text(self, channel: str = "text") -> str:
        """Give the text that stands in *channel*."""
        return "".join(passage.text for passage in self._standing(channel))

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Give the whole tool calls that stand."""
        return tuple(p.tool_call for p in self._standing("tool_calls") if p.tool_call is not None)

    @property
    def deltas(self) -> int:
        """How many deltas were delivered (a count)."""
        return sum(e.progress and not isinstance(e, ToolCallCompleted) for e in self.events)

    def _standing(self, channel: str) -> Iterator[Passage]:
        return (p for p in self.passages if p.channel == channel and not p.retracted)

    def _take_tool(self, event: ToolCallStarted | ToolCallDelta | ToolCallCompleted) -> None:
        passage = self._passage("tool_calls", event.call)
        if isinstance(event, ToolCallStarted):
            passage.pieces += [event.name, "("]
        elif isinstance(event, ToolCallDelta):
            passage.pieces.append(event.arguments)
        else:
            passage.tool_call = event.tool_call

    def _passage(self, channel: str, call: int | None = None) -> Passage:
        """Give the passage that goes on: of a tool call, the one not yet whole."""
        attempt = len(self.reroutes) + 1
        candidates = self.passages if call is not None else self.passages[-1:]
        for passage in candidates:
            alike = (passage.channel, passage.attempt, passage.call) == (channel, attempt, call)
            if alike and passage.tool_call is None and not passage.retracted:
                return passage
        self.passages.append(Passage(channel, attempt, call=call))
        return self.passages[-1]

    def _retract(self, channel: str) -> None:
        self.retracted.append(channel)
        for passage in self._standing(channel):
            passage.retracted = True
