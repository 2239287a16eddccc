"""
What was delivered, and how a later attempt is reconciled with it.

Per channel and choice. The ledger is written with what is appended to the
log; a later attempt is compared with it as it arrives: a repeat adds nothing,
what goes beyond is the tail, and a difference takes back what was shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeGuard

import attrs

from ..events import (
    ContentEvent,
    Event,
    ReasoningDelta,
    RefusalDelta,
    Retracted,
    TextDelta,
)

__all__ = ["Comparison", "Ledger"]

_Words = TextDelta | ReasoningDelta | RefusalDelta
_Key = tuple[str, int]

_TEXT: Final = ("text", 0)
_BLOCK: Final = 4096
"""Pieces after which a text is joined, so that its memory is its own size (a count)."""


@attrs.define(eq=False)
class _Shown:
    """What one channel of one choice shows."""

    pieces: list[str] = attrs.field(factory=list)
    items: list[Event] | tuple[()] = ()
    sample: _Words | None = None
    _joined: Sequence[str] = ()
    """What of *pieces* was joined, so far."""

    def pack(self) -> None:
        """Join the pieces, where they are many."""
        if len(self.pieces) >= _BLOCK:
            self._joined = (*self._joined, "".join(self.pieces))
            self.pieces.clear()

    def text(self) -> str:
        return "".join((*self._joined, *self.pieces))


@attrs.define(eq=False)
class Ledger:
    """What was delivered, retractions applied."""

    _shown: dict[_Key, _Shown] = attrs.field(factory=dict, init=False)
    _text: _Shown | None = attrs.field(default=None, init=False)
    """The first choice's text, once more: nearly every event is a piece of it."""

    def record(self, events: Sequence[Event]) -> None:
        """Write down what is appended to the log."""
        text = self._text
        for event in events:
            if type(event) is TextDelta and event.choice == 0 and text is not None:
                text.pieces.append(event.text)
            elif type(event) is Retracted:
                self._forget(event)
                text = self._text
            elif _is_content(event):
                self._write(event)
                text = self._text
        if text is not None and len(text.pieces) >= _BLOCK:
            text.pack()

    def _write(self, event: ContentEvent) -> None:
        key = _key(event)
        shown = self._shown.get(key)
        if shown is None:
            shown = self._shown[key] = _Shown()
        if _is_words(event):
            shown.sample = shown.sample or event
            shown.pieces.append(event.text)
            shown.pack()
            if key == _TEXT:
                self._text = shown
        elif event.channel != "tool_calls" or not shown.items:
            # Of tool calls the first is enough: they never match.
            shown.items = items = shown.items or []
            items.append(event)

    def _forget(self, gone: Retracted) -> None:
        self._shown.pop((gone.channel, gone.choice), None)
        if (gone.channel, gone.choice) == _TEXT:
            self._text = None

    def compare(self) -> Comparison:
        """Begin to compare the next attempt with all that is shown now."""
        return Comparison(dict(self._shown))

    def __bool__(self) -> bool:
        return bool(self._shown)


@attrs.define(eq=False)
class Comparison:
    """One later attempt, compared with what was delivered as it arrives."""

    _shown: dict[_Key, _Shown]
    _texts: dict[_Key, str] = attrs.field(factory=dict, init=False)
    _matched: dict[_Key, int] = attrs.field(factory=dict, init=False)
    """How much of what is shown the attempt repeated (characters, or items)."""

    def feed(self, event: Event) -> Iterator[Event]:
        """Give what is to be appended for *event*."""
        if type(event) is Retracted:  # a stage's own: what was shown there is gone
            self._shown.pop((event.channel, event.choice), None)
        key = _key(event) if _is_content(event) else None
        shown = self._shown.get(key) if key is not None else None
        if key is None or shown is None:
            yield event
        elif key[0] == "tool_calls":
            yield from self._settle(key)
            yield event
        elif _is_words(event):
            yield from self._words(key, shown, event)
        else:
            yield from self._item(key, shown, event)

    def end(self) -> Iterator[Event]:
        """Give what is to be appended at the attempt's good end: what it did not repeat goes."""
        for key, shown in list(self._shown.items()):
            done = self._matched.get(key, 0)
            yield from self._settle(key)
            if shown.sample is not None:
                if done:
                    yield attrs.evolve(shown.sample, text=self._text(key, shown)[:done])
            elif key[0] != "tool_calls":
                yield from shown.items[:done]

    def _words(self, key: _Key, shown: _Shown, event: _Words) -> Iterator[Event]:
        text, done = self._text(key, shown), self._matched.get(key, 0)
        if text.startswith(event.text, done):
            self._matched[key] = done + len(event.text)
            if self._matched[key] == len(text):
                del self._shown[key]
        elif event.text.startswith(rest := text[done:]):
            del self._shown[key]
            yield attrs.evolve(event, text=event.text[len(rest) :])
        else:
            yield from self._settle(key)
            yield attrs.evolve(event, text=text[:done] + event.text)

    def _item(self, key: _Key, shown: _Shown, event: Event) -> Iterator[Event]:
        done = self._matched.get(key, 0)
        if shown.items[done] == event:
            self._matched[key] = done + 1
            if self._matched[key] == len(shown.items):
                del self._shown[key]
        else:
            yield from self._settle(key)
            yield from shown.items[:done]
            yield event

    def _settle(self, key: _Key) -> Iterator[Event]:
        """Take back what is shown; what comes from now on passes."""
        del self._shown[key]
        yield Retracted(*key)

    def _text(self, key: _Key, shown: _Shown) -> str:
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = shown.text()
        return text


def _is_content(event: Event) -> TypeGuard[ContentEvent]:
    return event.channel is not None and event.progress


def _is_words(event: Event) -> TypeGuard[_Words]:
    return isinstance(event, TextDelta | ReasoningDelta | RefusalDelta)


def _key(event: ContentEvent) -> _Key:
    return (event.channel or "", getattr(event, "choice", 0))
