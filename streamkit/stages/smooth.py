"""Text at a pace that can be read, whatever pace it comes at."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import attrs

from ..errors import MisuseError
from ..events import Event, ReasoningDelta, RefusalDelta, TextDelta

__all__ = ["Smooth"]

_SPACELESS: Final = "\u3001-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60"
"""Chinese and Japanese, where each character is given as a word."""
_MARKS: Final = "\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f\U0001f3fb-\U0001f3ff"
"""What belongs to the character before it; so does what a joiner joins."""
_UNITS: Final = {
    "word": re.compile(rf"\s*(?:[{_SPACELESS}]|[^\s{_SPACELESS}]+)\s*|\s+"),
    "char": re.compile(rf"(?s:.)(?:[{_MARKS}]|\u200d(?s:.))*"),
}
_ENDED: Final = re.compile(rf"[\s{_SPACELESS}]")
"""The last character of a word that is whole, whatever comes next."""
_TEXTS: Final = ("text", "reasoning", "refusal")


@attrs.define(eq=False)
class Smooth:
    """
    Give text by whole words, or at a steady rate, instead of as it happens to come.

    Each piece is given once it is whole (a word: once something follows it)
    and, with a *rate*, its turn has come; at the latest *delay* seconds after
    it came. What may not wait frees everything at once: the terminal, and any
    event that is not text of the same choice and channel. Nothing is lost and
    the joined text is the same, so it may stand anywhere; behind the
    accumulator it is out of the way.

    It needs no clock: it asks to be woken at once, and is told the time. Being
    timed, it has a task of its own.

    Args:
        by: ``word`` (whitespace divides; each Chinese or Japanese character
            is one), or ``char`` (a character with the marks that belong to it).
        rate: at most that many words or characters a second; None: each as
            soon as it is whole.
        delay: the most that is added to the latency of any piece (seconds). A
            burst needs ``pieces / rate`` to be smoothed; what cannot be in
            time comes in one.
        channels: which texts: ``text``, ``reasoning``, ``refusal``.

    Raises:
        MisuseError: an argument is out of range, or nothing would be smoothed.
    """

    by: Literal["word", "char"] = "word"
    rate: float | None = None
    delay: float = 0.05
    channels: Sequence[str] = attrs.field(default=("text",), kw_only=True)
    wake_at: float | None = attrs.field(default=None, init=False)
    """When something is due; minus infinity where it wants to know the time."""
    _last: TextDelta | ReasoningDelta | RefusalDelta | None = attrs.field(default=None, init=False)
    """Where the text that is held belongs."""
    _text: str = attrs.field(default="", init=False)
    """What is held."""
    _came: deque[tuple[int, float]] = attrs.field(factory=deque, init=False)
    """How much of it came when (characters, seconds)."""
    _new: int = attrs.field(default=0, init=False)
    """How much of it came since the time was last told (characters)."""
    _turn: float = attrs.field(default=-math.inf, init=False)
    """When the next piece has its turn."""

    def __attrs_post_init__(self) -> None:
        if self.by not in _UNITS:
            raise MisuseError(f"expected by to be 'word' or 'char'; got {self.by!r}")
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise MisuseError(f"expected rate to be more than 0 a second; got {self.rate!r}")
        if self.rate is None and self.by == "char":
            raise MisuseError("expected a rate with by='char'; a character is always whole")
        if not 0 < self.delay < math.inf:
            raise MisuseError(f"expected delay to be more than 0 seconds; got {self.delay!r}")
        if isinstance(self.channels, str) or not set(self.channels) <= set(_TEXTS):
            raise MisuseError(f"expected channels such as ('text',); got {self.channels!r}")

    def __call__(self, event: Event) -> Sequence[Event]:
        """Hold text until it is due; anything else frees what is held."""
        if not isinstance(event, TextDelta | ReasoningDelta | RefusalDelta):
            return (*self._free(), event)
        freed = () if self._goes_on(event) else self._free()
        if not event.text or event.channel not in self.channels:
            return (*freed, event)
        self._last = event
        self._text += event.text
        self._new += len(event.text)
        self.wake_at = -math.inf
        return freed

    def wake(self, now: float) -> Sequence[Event]:
        """Give what is due at *now*."""
        if self._new:
            self._came.append((self._new, now))
            self._new = 0
        due, self.wake_at = 0, None
        for unit, came in self._units():
            when = min(came + self.delay, self._turn if self._is_whole(unit) else math.inf)
            if when > now:
                self.wake_at = when
                break
            due = unit.end()
            self._turn = self._next_turn(now)
        return self._take(due)

    def _goes_on(self, event: TextDelta | ReasoningDelta | RefusalDelta) -> bool:
        last = self._last
        return last is not None and (last.channel, last.choice) == (event.channel, event.choice)

    def _units(self) -> Iterator[tuple[re.Match[str], float]]:
        """Give each unit that is held, and when its first character came."""
        spans = iter(self._came)
        known, came = next(spans, (0, 0.0))
        for unit in _UNITS[self.by].finditer(self._text):
            while unit.start() >= known:
                more, came = next(spans)
                known += more
            yield unit, came

    def _is_whole(self, unit: re.Match[str]) -> bool:
        followed = unit.end() < len(self._text)
        return followed or self.by == "char" or bool(_ENDED.match(unit.group()[-1]))

    def _next_turn(self, now: float) -> float:
        """Keep the beat while there is one: a wake that comes late delays no later piece."""
        if self.rate is None:
            return now
        gap = 1 / self.rate
        on_beat = now - gap < self._turn <= now
        return (self._turn if on_beat else now) + gap

    def _free(self) -> Sequence[Event]:
        """Give all that is held."""
        self._came.clear()
        self._new, self.wake_at = 0, None
        text, self._text = self._text, ""
        return self._given(text)

    def _take(self, size: int) -> Sequence[Event]:
        """Give the first *size* characters of what is held."""
        text, self._text = self._text[:size], self._text[size:]
        while size:
            length, came = self._came.popleft()
            if length > size:
                self._came.appendleft((length - size, came))
            size -= min(size, length)
        return self._given(text)

    def _given(self, text: str) -> Sequence[Event]:
        last = self._last
        if not text or last is None:
            return ()
        return (last if text == last.text else attrs.evolve(last, text=text),)
