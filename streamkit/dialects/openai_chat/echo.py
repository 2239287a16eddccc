"""The first text of a choice, as long as it may be an error that was passed on as text."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ...errors import InBandError
from ...events import Event, TextDelta
from ..in_band import echoed_error, may_echo

__all__ = ["Echo"]


@attrs.define(eq=False)
class Echo:
    """
    Tell a choice's text, and hold back what begins like an error's SSE.

    Only a finish reason, or the lack of one, says which it is. What is let
    out comes in the pieces it came in.
    """

    index: int
    """The choice's."""
    _waiting: list[str] | tuple[()] = attrs.field(default=(), init=False)
    _spoke: bool = attrs.field(default=False, init=False)
    """Whether its text is text."""

    def tell(self, text: str) -> Iterator[Event]:
        """Give what may be told once *text* came."""
        if self._spoke:
            yield TextDelta(text, self.index)
            return
        self._waiting = waiting = [*self._waiting, text]
        so_far = "".join(waiting)
        if not may_echo(so_far):
            self._spoke = not so_far.isspace()
            yield from self._let_out()

    def release(self) -> Iterator[Event]:
        """Give what waits: it is text."""
        self._spoke = True
        return self._let_out()

    def error(self) -> InBandError | None:
        """Give the error that waits, if one does."""
        return echoed_error("".join(self._waiting))

    def _let_out(self) -> Iterator[Event]:
        waiting, self._waiting = self._waiting, ()
        return (TextDelta(piece, self.index) for piece in waiting)
