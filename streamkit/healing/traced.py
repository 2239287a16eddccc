"""A dialect whose decoder tells, behind the events of a frame, which frame it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from ..dialects import Decoder, Dialect
from ..events import Event
from ..framing import Frame

__all__ = ["Traced", "Verbatim"]


@attrs.frozen
class Verbatim(Event):
    """
    The frame that the events before it came from.

    It passes the stages as any event they do not know. Where the same events
    come out with it, nobody changed them, and the frame can go on as it came.
    """

    frame: Frame
    events: tuple[Event, ...]


@attrs.frozen
class Traced:
    """Another dialect, traced."""

    dialect: Dialect

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dialect, name)

    def decoder(self) -> _Decoder:
        """Give a fresh decoder, traced."""
        return _Decoder(self.dialect.decoder())


@attrs.define(eq=False)
class _Decoder:
    decoder: Decoder

    @property
    def evidence(self) -> str | None:
        return self.decoder.evidence

    @property
    def said(self) -> bool:
        return self.decoder.said

    def feed(self, frame: Frame) -> Iterable[Event]:
        events = self.decoder.feed(frame)
        return events if frame.whole else _traced(frame, events)

    def eof(self, residue: str = "") -> Sequence[Event]:
        return self.decoder.eof(residue)


def _traced(frame: Frame, events: Iterable[Event]) -> Iterator[Event]:
    told = []
    end = None
    for event in events:
        if event.terminal:
            end = event
        else:
            told.append(event)
            yield event
    yield Verbatim(frame, tuple(told))
    if end is not None:
        yield end
