"""What nobody may read, replaced, however the deltas cut it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from ..errors import MisuseError
from ..events import Event, Finished, ReasoningDelta, RefusalDelta, TextDelta

__all__ = ["Redact"]

_Pattern: TypeAlias = str | re.Pattern[str]
_TextEvent: TypeAlias = TextDelta | ReasoningDelta | RefusalDelta
_TEXTS: Final = ("text", "reasoning", "refusal")


def _compiled(patterns: _Pattern | Iterable[_Pattern]) -> tuple[re.Pattern[str], ...]:
    each = (patterns,) if isinstance(patterns, str | re.Pattern) else tuple(patterns)
    try:
        compiled = tuple(re.compile(pattern) for pattern in each)
        empty = [pattern.pattern for pattern in compiled if pattern.fullmatch("")]
    except (re.error, TypeError) as error:
        raise MisuseError(
            f"expected patterns to be regular expressions for text; got {patterns!r} ({error})"
        ) from error
    if empty or not compiled:
        raise MisuseError(
            f"expected patterns that match something; got {empty or 'none'}; write `+` for `*`"
        )
    return compiled


def _one(pattern: _Pattern | None) -> re.Pattern[str] | None:
    return None if pattern is None else _compiled(pattern)[0]


def _channels(channels: Iterable[str]) -> tuple[str, ...]:
    names = (channels,) if isinstance(channels, str) else tuple(channels)
    if not names or not set(names) <= set(_TEXTS):
        raise MisuseError(f"expected channels among {_TEXTS}; got {channels!r}")
    return names


@attrs.define(eq=False)
class Redact:
    """
    Replace what *patterns* match in the text, however the deltas cut it.

    Before the accumulator it changes the answer; behind it only the view, and
    the response still has what was replaced.

    The joined deltas are what ``re.sub`` makes of the joined text, as long as
    no match, with what it looks at behind its end, is longer than *hold*. So
    the last *hold* characters are always held back: a watcher sees every
    piece that much later. **Say what matches are made of** where you can: one
    character that cannot stand in a match frees everything before it, and
    what is held is seldom more than a word.

    Text is joined per choice and channel, and ends where that choice shows
    something else (a tool call, another channel), and with its finish. Of
    several matches at one place the first pattern's counts. A match longer
    than *hold* may be seen as two, or missed. Arguments of tool calls are left
    alone.

    Args:
        patterns: regular expressions, as text or compiled; one or several.
        replacement: as in ``re.sub``: a template, or a function of the match.
        hold: the longest match, lookahead included, and the most that is held
            back in each choice (characters).
        made_of: a pattern of one character, such as ``[^ ]``: matches
            consist of those. None is any character.
        channels: which texts: ``text``, ``reasoning``, ``refusal``.

    Raises:
        MisuseError: a pattern cannot be read, or matches nothing but emptiness;
            *hold* is less than 1; or, when it is seen, a match that *made_of* rules out.
    """

    patterns: tuple[re.Pattern[str], ...] = attrs.field(converter=_compiled)
    replacement: str | Callable[[re.Match[str]], str] = "[redacted]"
    hold: int = 256
    made_of: re.Pattern[str] | None = attrs.field(default=None, converter=_one, kw_only=True)
    channels: tuple[str, ...] = attrs.field(default=_TEXTS, converter=_channels, kw_only=True)
    _held: dict[int, _Window] = attrs.field(factory=dict, init=False)
    """By choice: at most one channel of a choice has text held."""

    def __attrs_post_init__(self) -> None:
        if self.hold < 1:
            raise MisuseError(f"expected hold to be 1 or more characters; got {self.hold!r}")

    def __call__(self, event: Event) -> Sequence[Event]:
        """Give what is certain; nothing shown in a choice overtakes what it holds."""
        if event.terminal:
            freed = [each for choice in list(self._held) for each in self._free(choice)]
            return (*freed, event)
        if isinstance(event, TextDelta | ReasoningDelta | RefusalDelta):
            return tuple(self._text(event)) if event.text else (event,)
        if event.progress or type(event) is Finished:
            return (*self._free(getattr(event, "choice", 0)), event)
        return (event,)  # it shows nothing, so it has no place in the text

    def _text(self, event: _TextEvent) -> Iterator[Event]:
        window = self._held.get(event.choice)
        if window is not None and window.last.channel != event.channel:
            yield from self._free(event.choice)
            window = None
        if event.channel not in self.channels:
            yield event
            return
        if window is None:
            window = self._held[event.choice] = _Window(event)
        yield from window.give(self._redacted(window, self._certain(window.take(event))))
        window.forget(self.hold)

    def _free(self, choice: int) -> Iterator[Event]:
        window = self._held.pop(choice, None)
        if window is not None:
            yield from window.give(self._redacted(window, len(window.text)))

    def _certain(self, window: _Window) -> int:
        """Say up to where it is certain what matches begin: *hold* characters are known there."""
        text = window.text
        certain = len(text) - self.hold
        if self.made_of is not None:
            for end in range(len(text), max(certain, window.fresh), -1):
                if not self.made_of.fullmatch(text, end - 1, end):
                    return end  # no match reaches across this character
        return certain

    def _redacted(self, window: _Window, certain: int) -> str:
        """Take the text up to *certain*, or to the end of a match that reaches across."""
        text, out = window.text, []
        ahead = [_next(pattern, text, window.at) for pattern in self.patterns]
        while (found := _first(ahead, certain)) is not None:
            self._check(found)
            out.append(text[window.at : found.start()])
            told = self.replacement
            out.append(found.expand(told) if isinstance(told, str) else told(found))
            at = window.at = found.end()
            ahead = [m and (m if m.start() >= at else _next(m.re, text, at)) for m in ahead]
        if window.at < certain:
            out.append(text[window.at : certain])
            window.at = certain
        return "".join(out)

    def _check(self, found: re.Match[str]) -> None:
        one = self.made_of
        if one is not None and not all(map(one.fullmatch, found.group())):
            raise MisuseError(
                f"expected matches made of {one.pattern!r} only; {found.re.pattern!r} matched "
                "something else, too; widen made_of, or leave it out"
            )


def _next(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """Give the next match that is not empty."""
    return next((found for found in pattern.finditer(text, at) if found.group()), None)


def _first(ahead: Iterable[re.Match[str] | None], certain: int) -> re.Match[str] | None:
    """Give the match that begins first, of those that begin before *certain*."""
    begun = (found for found in ahead if found is not None and found.start() < certain)
    return min(begun, key=lambda found: found.start(), default=None)


@attrs.define(eq=False)
class _Window:
    """The end of one text: what was given, as context, and what is held."""

    last: _TextEvent
    """What the last piece came in."""
    text: str = ""
    at: int = 0
    """Where in *text* begins what is held."""
    fresh: int = 0
    """Where in *text* begins what came last."""

    def take(self, event: _TextEvent) -> _Window:
        """Add the next piece."""
        self.fresh = len(self.text)
        self.last, self.text = event, self.text + event.text
        return self

    def give(self, text: str) -> Iterator[Event]:
        """Give *text* in an event like the last; the last itself where that is the same."""
        if text:
            yield self.last if text == self.last.text else attrs.evolve(self.last, text=text)

    def forget(self, context: int) -> None:
        """Keep no more of what was given than what a pattern may look back at (characters)."""
        gone = max(0, self.at - context)
        self.text, self.at = self.text[gone:], self.at - gone
