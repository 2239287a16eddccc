"""Many events as few, losing nothing that is still shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import attrs

from ..events import (
    Event,
    ReasoningDelta,
    RefusalDelta,
    Retracted,
    TextDelta,
    ToolCallDelta,
)

__all__ = ["Backlog", "Fold", "Kept", "Page", "told"]

Kept = Event | str
"""An event, as a log keeps it: a piece of the first choice's text is the text."""

_BLOCK = 1024
"""Pieces after which a run is joined, so that its memory is its text's own size (a count)."""


@attrs.define(eq=False)
class _Run:
    """Deltas that are one: the first, and the pieces of all, joined by the block."""

    first: Event
    pieces: list[str]
    blocks: list[str] = attrs.field(factory=list)

    def pack(self) -> None:
        if len(self.pieces) >= _BLOCK:
            self.blocks.append("".join(self.pieces))
            self.pieces.clear()

    def event(self) -> Event:
        field = "arguments" if isinstance(self.first, ToolCallDelta) else "text"
        return attrs.evolve(self.first, **{field: "".join((*self.blocks, *self.pieces))})


@attrs.define(eq=False)
class Fold:
    """
    Events, the deltas among them merged.

    Deltas of one channel and choice merge as long as nothing but deltas
    stands between them, so the order that a reader can see is kept.
    """

    forget_retracted: bool = False
    """Whether what was retracted is dropped, with the retraction: right for one who saw neither."""
    _items: list[Event | _Run] = attrs.field(factory=list, init=False)
    _open: dict[tuple[object, ...], _Run] = attrs.field(factory=dict, init=False)
    _texts: dict[int, list[str]] = attrs.field(factory=dict, init=False)
    """The pieces of each choice's open run of text: nearly every event is one more."""

    def absorb(self, events: Iterable[Kept]) -> None:
        """Fold in the next events."""
        texts = self._texts
        for kept in events:
            if type(kept) is str and 0 in texts:
                texts[0].append(kept)
                continue
            event = told(kept)
            if type(event) is TextDelta and event.choice in texts:
                texts[event.choice].append(event.text)
                continue
            key, piece = _mergeable(event)
            if key is None:
                self._bar(event)
            elif key in self._open:
                self._open[key].pieces.append(piece)
            else:
                run = self._open[key] = _Run(event, [piece])
                self._items.append(run)
                if type(event) is TextDelta:
                    self._texts[event.choice] = run.pieces
        for run in self._open.values():
            run.pack()

    def events(self) -> list[Event]:
        """Give what was absorbed, as few events."""
        return [item.event() if isinstance(item, _Run) else item for item in self._items]

    @classmethod
    def of(cls, events: Iterable[Kept]) -> Self:
        """Fold *events*."""
        fold = cls()
        fold.absorb(events)
        return fold

    def __bool__(self) -> bool:
        return bool(self._items)

    def _bar(self, event: Event) -> None:
        self._open.clear()
        self._texts.clear()
        if self.forget_retracted and isinstance(event, Retracted):
            self._items = list(_without(self._items, event))
        else:
            self._items.append(event)


@attrs.define(eq=False)
class Page:
    """What one trim of a log folded, once for all the readers that had not read it."""

    events: list[Event] = attrs.field(factory=list, init=False)
    next: Page | None = attrs.field(default=None, init=False)


@attrs.define(eq=False)
class Backlog:
    """
    What a reader that lags still has to be told.

    Its own part is at most what one trim takes; all the rest are pages of the
    log, which every reader that lags has in common. So a reader costs the
    same however long the answer is.
    """

    own: Fold
    page: Page | None
    """The first of the log's pages that follows; None while there is none."""

    def events(self) -> list[Event]:
        """Give it, as few events."""
        page = self.page
        while page is not None:
            self.own.absorb(page.events)
            page = page.next
        return self.own.events()


def told(kept: Kept) -> Event:
    """Give the event that is kept."""
    return TextDelta(kept) if isinstance(kept, str) else kept


def _mergeable(event: Event) -> tuple[tuple[object, ...] | None, str]:
    if isinstance(event, ReasoningDelta):
        return (ReasoningDelta, event.choice, event.field), event.text
    if isinstance(event, TextDelta | RefusalDelta):
        return (type(event), event.choice), event.text
    if isinstance(event, ToolCallDelta) and not (event.id or event.name or event.extra):
        return (ToolCallDelta, event.choice, event.call), event.arguments
    return None, ""


def _without(items: Sequence[Event | _Run], gone: Retracted) -> Iterator[Event | _Run]:
    for item in items:
        event = item.first if isinstance(item, _Run) else item
        if event.channel != gone.channel or getattr(event, "choice", 0) != gone.choice:
            yield item
