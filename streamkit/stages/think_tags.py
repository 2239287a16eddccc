"""Reasoning that a model writes into its answer, between tags."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from ..errors import MisuseError
from ..events import Event, Finished, ReasoningDelta, TextDelta

__all__ = ["ThinkTags"]

_INDENT: Final = 3
"""Spaces that may stand before a tag or a fence (CommonMark 0.31, sections 4.5 and 4.6)."""
_HEAD: Final = 80
"""How much of a line is kept to know a fence by (characters)."""
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_NAME: Final = re.compile(r"[^\s<>/]+")
_FOLDED: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
"""Lower case that keeps every length: other alphabets have letters that grow."""


def _names(tags: Iterable[str]) -> tuple[str, ...]:
    names = () if isinstance(tags, str) else tuple(tags)
    if not names or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        raise MisuseError(
            f"expected tags to be names such as ('think', 'thought'); got {tags!r}; write a tuple "
            "of names, without brackets"
        )
    return tuple(name.translate(_FOLDED) for name in names)


@attrs.frozen
class _Tags:
    """The tags of those names, and how to find them."""

    openers: tuple[str, ...]
    closers: tuple[str, ...]
    opener: re.Pattern[str]
    closer: re.Pattern[str]

    @classmethod
    def of(cls, names: Sequence[str]) -> _Tags:
        """Make them; only ASCII letters are the same in both cases."""
        any_name = "|".join(map(re.escape, names))
        return cls(
            tuple(f"<{name}>" for name in names),
            tuple(f"</{name}>" for name in names),
            re.compile(f"<(?:{any_name})>", re.IGNORECASE | re.ASCII),
            re.compile(f"</(?:{any_name})>", re.IGNORECASE | re.ASCII),
        )


@attrs.define(eq=False)
class ThinkTags:
    """
    Move what stands between reasoning tags from the text to the reasoning.

    However the deltas split the tags, only the tags are cut out, and each
    choice is read for itself. What looks like a tag is one where

    * an opener stands at the beginning of the answer or of a line (behind at
      most three spaces, or behind another tag), outside of fenced code;
      anywhere else it is prose that mentions it;
    * a closer stands anywhere in the reasoning, but directly behind a
      backtick that opens a code span; any of the names closes;
    * an orphan closer stands where an opener could: it is removed. Text
      before it was shown as text, and stays text; for a provider whose
      answers lack the opener say *starts_in_reasoning*.

    Where no closer comes, the rest is reasoning. Held back is only what may
    still become a tag, less than the longest one; the next thing shown in
    this choice, its finish, and the terminal free it, and a line begins anew
    behind them.

    Args:
        tags: their names; ASCII letters count the same in both cases.
        starts_in_reasoning: the answer begins with reasoning, with or without
            an opener (chat templates that put it into the prompt); unless the
            provider tells of reasoning itself.
        field: the field of the message that the reasoning has in
            ``response.raw``; empty for none.

    Raises:
        MisuseError: *tags* are no names.
    """

    tags: tuple[str, ...] = attrs.field(
        default=("think", "thinking", "reasoning", "thought"), converter=_names
    )
    starts_in_reasoning: bool = attrs.field(default=False, kw_only=True)
    field: str = attrs.field(default="reasoning_content", kw_only=True)
    _tags: _Tags = attrs.field(init=False)
    _choices: dict[int, _Reader] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._tags = _Tags.of(self.tags)

    def __call__(self, event: Event) -> Sequence[Event]:
        """Give text as what it is; nothing shown in a choice overtakes what it holds."""
        if type(event) is TextDelta:
            return tuple(self._read(event)) if event.text else (event,)
        if event.terminal:
            freed = [each for choice in self._choices for each in self._free(choice)]
            return (*freed, event)
        if not event.progress and type(event) is not Finished:
            return (event,)  # it shows nothing, so it has no place in the text
        if type(event) is ReasoningDelta:
            if not event.text:
                return (event,)
            self._reader(event.choice).trust()
        return (*self._free(getattr(event, "choice", 0)), event)

    def _reader(self, choice: int) -> _Reader:
        reader = self._choices.get(choice)
        if reader is None:
            reader = self._choices[choice] = _Reader(self._tags, self.starts_in_reasoning)
        return reader

    def _read(self, event: TextDelta) -> Iterator[Event]:
        for thought, text in self._reader(event.choice).feed(event.text):
            yield self._delta(event.choice, text, thought=thought)

    def _free(self, choice: int) -> Iterator[Event]:
        reader = self._choices.get(choice)
        if reader is not None and (text := reader.free()):
            yield self._delta(choice, text, thought=reader.thinking)

    def _delta(self, choice: int, text: str, *, thought: bool) -> Event:
        return ReasoningDelta(text, choice, self.field) if thought else TextDelta(text, choice)


@attrs.define(eq=False)
class _Reader:
    """The text of one choice, as far as it came."""

    tags: _Tags
    thinking: bool
    _fresh: bool = attrs.field(init=False)
    """Whether the answer is said to begin with reasoning, and no word of it came yet."""
    _held: str = attrs.field(default="", init=False)
    """What may become a tag; shorter than the longest."""
    _line: str = attrs.field(default="", init=False)
    """The answer's line so far, at most `_HEAD` characters of it."""
    _fence: str = attrs.field(default="", init=False)
    """What opened the fenced code the answer is in."""
    _ticks: int = attrs.field(default=0, init=False)
    """Backticks in the reasoning's line so far (a count)."""
    _behind_tick: bool = attrs.field(default=False, init=False)
    _out: list[tuple[bool, list[str]]] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._fresh = self.thinking

    def trust(self) -> None:
        """Take the provider's word: it tells of reasoning itself, so text is text."""
        if self._fresh:
            self._fresh = self.thinking = False

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """Give what *text* adds: whether it is reasoning, and the words."""
        text, self._held = self._held + text, ""
        at = 0
        while at < len(text):
            at = self._think(text, at) if self.thinking else self._answer(text, at)
        out, self._out = self._out, []
        return [(thought, "".join(pieces)) for thought, pieces in out]

    def free(self) -> str:
        """Give what is held: it became no tag. A line begins anew behind it."""
        held, self._held = self._held, ""
        self._line, self._ticks, self._behind_tick = "", 0, False
        return held

    def _say(self, text: str) -> None:
        """Give *text*, with what was given before it where that is of its kind."""
        if text and self._out and self._out[-1][0] is self.thinking:
            self._out[-1][1].append(text)
        elif text:
            self._out.append((self.thinking, [text]))

    def _hold(self, text: str, at: int, tags: Sequence[str]) -> bool:
        """Hold the rest of *text* where it is the beginning of a tag; say whether it is."""
        rest = text[at : at + max(map(len, tags))].translate(_FOLDED)
        begins = any(tag.startswith(rest) for tag in tags)
        if begins:
            self._held = text[at:]
        return begins

    # -- the answer, a line at a time

    def _answer(self, text: str, at: int) -> int:
        """Read on from *at* to the next tag, or to the end of the line; say where that is."""
        end = text.find("\n", at) + 1 or len(text)
        first = at + len(self._indent(text[at:end]))
        if first < end and text[first] == "<" and self._may_begin(text[at:first]):
            tag = self.tags.opener.match(text, first) or self.tags.closer.match(text, first)
            if tag is not None:
                self._say(text[at:first])
                self._line = ""
                self.thinking = not tag.group().startswith("</")
                return tag.end()
            if self._hold(text, first, self.tags.openers + self.tags.closers):
                self._say(text[at:first])
                self._line += text[at:first]
                return len(text)
        self._say(text[at:end])
        self._line = (self._line + text[at:end])[:_HEAD]
        if text[end - 1] == "\n":
            self._end_line()
        return end

    @staticmethod
    def _indent(line: str) -> str:
        return line[: len(line) - len(line.lstrip(" "))]

    def _may_begin(self, indent: str) -> bool:
        line = self._line + indent
        return not self._fence and len(line) <= _INDENT and not line.strip(" ")

    def _end_line(self) -> None:
        found, self._line = _FENCE.match(self._line), ""
        if found is None:
            return
        run, rest = found.groups()
        if not self._fence:
            self._fence = "" if run[0] == "`" and "`" in rest else run
        elif run.startswith(self._fence) and not rest.strip():
            self._fence = ""

    # -- the reasoning, up to its closer

    def _think(self, text: str, at: int) -> int:
        """Read on from *at* to the next tag, or to the end of the text; say where that is."""
        if self._fresh:
            return self._begin(text, at)
        closer = self.tags.closer.search(text, at)
        if closer is not None:
            self._muse(text[at : closer.start()])
            if self._behind_tick and self._ticks % 2:
                self._muse(closer.group())
            else:
                self.thinking, self._line = False, ""
            return closer.end()
        last = text.rfind("<", at)
        cut = last if last >= 0 and self._hold(text, last, self.tags.closers) else len(text)
        self._muse(text[at:cut])
        return len(text)

    def _begin(self, text: str, at: int) -> int:
        """Read the beginning of reasoning that may or may not have an opener."""
        first = len(text) - len(text[at:].lstrip())
        self._muse(text[at:first])
        opener = self.tags.opener.match(text, first)
        if opener is None and (first == len(text) or self._hold(text, first, self.tags.openers)):
            return len(text)
        self._fresh = False
        return first if opener is None else opener.end()

    def _muse(self, text: str) -> None:
        """Give reasoning, and count the backticks of its line."""
        self._say(text)
        if text:
            if "\n" in text:
                self._ticks = 0
            self._ticks += text[text.rfind("\n") + 1 :].count("`")
            self._behind_tick = text[-1] == "`"
