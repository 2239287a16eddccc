"""Which text a watcher may see once the turn is a tool call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from ..events import Event, StepStarted, TextDelta, ToolCallDelta, ToolCallStarted

__all__ = ["Suppressor"]


@attrs.define(eq=False)
class Suppressor:
    """
    Hide the text that comes after a tool call began, per choice.

    Text before it is shown, and so is text behind a call that the provider
    runs itself. What is hidden is in the response all the same, as long as
    the accumulator stands before.
    """

    mode: Literal["after_tool", "off"] = attrs.field(
        default="after_tool", validator=attrs.validators.in_(("after_tool", "off"))
    )
    _calling: frozenset[int] = attrs.field(default=frozenset(), init=False)
    _hosted: frozenset[tuple[int, int]] = attrs.field(default=frozenset(), init=False)
    """The calls that the provider runs itself: choice and number."""

    def __call__(self, event: Event) -> Sequence[Event]:
        """Give the event, or nothing where it is text behind a tool call."""
        return self.batch([event])

    def batch(self, events: list[Event]) -> list[Event]:
        """Give what may be seen of one read; untouched while no tool was called."""
        if not self._calling:
            for event in events:
                if event.channel == "tool_calls":
                    break
            else:
                return events
        return [event for event in events if self._passes(event)]

    def _passes(self, event: Event) -> bool:
        if self.mode == "off":
            return True
        if isinstance(event, ToolCallStarted | ToolCallDelta):
            self._note(event)
        elif isinstance(event, StepStarted):  # an agent's next step is told anew
            self._calling -= {event.choice}
        return not (type(event) is TextDelta and event.choice in self._calling)

    def _note(self, event: ToolCallStarted | ToolCallDelta) -> None:
        place = (event.choice, event.call)
        if isinstance(event, ToolCallStarted) and event.hosted:
            self._hosted |= {place}
        if place not in self._hosted:
            self._calling |= {event.choice}
