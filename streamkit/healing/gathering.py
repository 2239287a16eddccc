"""Calls begun whole: an id and a name, before any of their arguments."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ..events import Event, Retracted, ToolCallCompleted, ToolCallDelta, ToolCallStarted

__all__ = ["Gathering"]

_Place = tuple[int, int]
"""Choice and number of a call."""


@attrs.define(eq=False)
class Gathering:
    """
    Begin a call once it has its first arguments, or is whole.

    Some providers say its name in pieces, or its id late, or none. Clients
    join names, or keep the last; and without an id they cannot answer.
    """

    run_id: str
    """What ids are made of where the provider gave none."""
    _begun: dict[_Place, ToolCallStarted | None] = attrs.field(factory=dict, init=False)
    """What is known of each call; None once it was told."""

    def __call__(self, event: Event) -> Sequence[Event]:
        """Give what stands for *event*."""
        if isinstance(event, ToolCallStarted):
            self._begun[event.choice, event.call] = event
            return ()
        if isinstance(event, ToolCallDelta):
            return self._delta(event)
        if isinstance(event, ToolCallCompleted):
            return (*self._begin((event.choice, event.call)), event)
        if isinstance(event, Retracted) and event.channel == "tool_calls":
            self._begun = {p: known for p, known in self._begun.items() if p[0] != event.choice}
        return (event,)

    def _delta(self, event: ToolCallDelta) -> Sequence[Event]:
        place = (event.choice, event.call)
        known = self._begun.get(place)
        if known is None:
            return (event,)
        known = attrs.evolve(known, id=known.id or event.id, name=known.name + event.name)
        self._begun[place] = known
        rest = attrs.evolve(event, id="", name="")
        if not event.arguments:
            return ()
        return (*self._begin(place), rest)

    def _begin(self, place: _Place) -> Sequence[Event]:
        known = self._begun.get(place)
        if known is None:
            return ()
        self._begun[place] = None
        made = f"call_{self.run_id[:16]}_{place[0]}_{place[1]}"
        return (known if known.id else attrs.evolve(known, id=made),)
