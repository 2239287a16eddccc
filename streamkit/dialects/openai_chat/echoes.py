"""The first text of each choice, as long as it may be an error that was passed on as text."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ...errors import InBandError
from ...events import Event, TextDelta
from ..in_band import echoed_error, may_echo

__all__ = ["Echoes"]


@attrs.define(eq=False)
class Echoes:
    """
    Tell text, and hold back what begins like an error's SSE.

    Only a finish reason, or the lack of one, says which it is. What is let
    out comes in the pieces it came in.
    """

    _waiting: dict[int, list[str] | None] = attrs.field(factory=dict, init=False)
    """By choice: the pieces that wait; None where its text is text."""

    def tell(self, text: str, index: int) -> Iterator[Event]:
        """Give what may be told once *text* came."""
        waiting = self._waiting.setdefault(index, [])
        if waiting is None:
            yield TextDelta(text, index)
            return
        waiting.append(text)
        so_far = "".join(waiting)
        if not may_echo(so_far):
            yield from self._let_out(index)
            if not so_far.isspace():
                self._waiting[index] = None

    def release(self, index: int) -> Iterator[Event]:
        """Give what waits of a choice: it is text."""
        yield from self._let_out(index)
        self._waiting[index] = None

    def release_all(self) -> Iterator[Event]:
        """Give what waits of every choice."""
        for index in list(self._waiting):
            yield from self._let_out(index)

    def error(self) -> InBandError | None:
        """Give the error that waits, if one does."""
        texts = ("".join(pieces or ()) for pieces in self._waiting.values())
        return next((error for text in texts if (error := echoed_error(text))), None)

    def _let_out(self, index: int) -> Iterator[Event]:
        for piece in self._waiting.pop(index, None) or ():
            yield TextDelta(piece, index)
