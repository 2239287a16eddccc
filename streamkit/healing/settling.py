"""Arguments that are said again, told once: a client that joins deltas cannot know."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ..dialects.arguments import is_json
from ..events import Event, Retracted, ToolCallCompleted, ToolCallDelta

__all__ = ["Settling"]


@attrs.define(eq=False)
class _Call:
    """What was told of one call's arguments."""

    told: str = ""
    waits: bool = False
    """Whether what comes may be said again, so that only the whole call tells the rest."""


@attrs.define(eq=False)
class Settling:
    """
    Hold back deltas of a call once they may repeat what was told.

    Some providers send the whole arguments behind their pieces, or all so far
    with every delta. Which it was is known when the call is whole; then the
    rest is told. Healthy arguments pass untouched.
    """

    _calls: dict[tuple[int, int], _Call] = attrs.field(factory=dict, init=False)
    """By choice and number."""

    def __call__(self, event: Event) -> Sequence[Event]:
        """Give what stands for *event*: itself, nearly always."""
        if isinstance(event, ToolCallDelta):
            return self._delta(event)
        if isinstance(event, ToolCallCompleted):
            return (*self._rest(event), event)
        if isinstance(event, Retracted) and event.channel == "tool_calls":
            for place in [place for place in self._calls if place[0] == event.choice]:
                del self._calls[place]
        return (event,)

    def _delta(self, event: ToolCallDelta) -> Sequence[Event]:
        call = self._calls.setdefault((event.choice, event.call), _Call())
        piece = event.arguments
        if piece and call.told and not call.waits:
            ended = call.told.endswith("}") and is_json(call.told)
            again = ended or piece.startswith(call.told)
            call.waits = again and bool(piece.strip())
        if not call.waits:
            call.told += piece
            return (event,)
        bare = attrs.evolve(event, arguments="")
        return (bare,) if bare.id or bare.name or bare.extra else ()

    def _rest(self, event: ToolCallCompleted) -> Sequence[Event]:
        call = self._calls.get((event.choice, event.call))
        if call is None or not call.waits:
            return ()
        whole = event.tool_call.arguments
        if whole == call.told:
            return ()
        if not whole.startswith(call.told):
            # It was something else all the time: told again, in place of what was told.
            return (Retracted("tool_calls", event.choice),)
        return (ToolCallDelta(event.call, whole[len(call.told) :], event.choice),)
