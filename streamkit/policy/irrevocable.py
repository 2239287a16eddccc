"""What those are told who cannot forget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import attrs

from ..errors import MisuseError, RetractedAnswer
from ..events import (
    Event,
    Gap,
    ReasoningDelta,
    RefusalDelta,
    ResponseFailed,
    Retracted,
    TextDelta,
    is_visible,
)
from ..response import Response

__all__ = ["Irrevocable", "OnRetract"]

OnRetract = Literal["fail", "seam"]

_WORDS: Final = {"text": TextDelta, "reasoning": ReasoningDelta, "refusal": RefusalDelta}
"""The channels where a seam can be said. A tool call told twice might be made twice."""


@attrs.define(eq=False)
class Irrevocable:
    """
    The events of one run for a format that cannot take back what it told.

    `Retracted` of such a *channel* goes unsaid where nothing was shown. Where
    something was, it is the end (``fail``), or a *seam* before the text that
    replaces it (``seam``). `Gap` is always the end: what follows it was told before.
    """

    channels: frozenset[str]
    """What cannot be taken back; `Retracted` of others passes."""
    on_retract: OnRetract = attrs.field(default="fail")
    seam: str = attrs.field(default="\n\n")
    _shown: set[tuple[str, int]] = attrs.field(factory=set, init=False)
    _torn: set[tuple[str, int]] = attrs.field(factory=set, init=False)
    _over: bool = attrs.field(default=False, init=False)

    @on_retract.validator
    def _check(self, _field: object, value: object) -> None:
        if value not in get_args(OnRetract):
            raise MisuseError(f"expected on_retract of {get_args(OnRetract)}; got {value!r}")

    def __call__(self, event: Event) -> Sequence[Event]:
        """Give what stands for *event*; nothing once the end was told."""
        if self._over:
            return ()
        if isinstance(event, Gap):
            return self._fail("the log no longer holds what comes after the id asked for")
        if event.channel not in self.channels:
            return (event,)
        if isinstance(event, Retracted):
            return self._retract(event)
        place = (event.channel, getattr(event, "choice", 0))
        if is_visible(event):
            self._shown.add(place)
        if place in self._torn:
            self._torn.discard(place)
            return (_WORDS[event.channel](self.seam, place[1]), event)
        return (event,)

    def _retract(self, event: Retracted) -> Sequence[Event]:
        place = (event.channel, event.choice)
        if place not in self._shown:
            return ()
        if self.on_retract == "seam" and event.channel in _WORDS:
            self._torn.add(place)
            return ()
        return self._fail("the buffered answer is another than the one that was being streamed")

    def _fail(self, why: str) -> Sequence[Event]:
        self._over = True
        error = RetractedAnswer(
            f"expected a format that can take back what it told; {why}; ask again, or serve "
            "this client in a format that retracts"
        )
        return (ResponseFailed(error, Response()),)
