"""The words of an item: what was told of each of its parts, and where in its channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs

from ...events import Citation, Event, ReasoningDelta, RefusalDelta, TextDelta

__all__ = ["CHANNELS", "LISTS", "TELLERS", "Channel", "Part", "missing", "words_field"]

LISTS: Final = {"message": ("content",), "reasoning": ("summary", "content")}
"""By type of item: the lists of parts it has, in the order they are told."""

CHANNELS: Final = {
    ("message", "content", "output_text"): "text",
    ("message", "content", "text"): "text",
    ("message", "content", "refusal"): "refusal",
    ("reasoning", "summary", "summary_text"): "reasoning",
    ("reasoning", "content", "reasoning_text"): "reasoning",
    ("reasoning", "content", "text"): "reasoning",
}
"""By type of item, list and type of part: the channel its words are told in."""

TELLERS: Final[dict[tuple[str, str], Callable[[str], Event]]] = {
    ("text", "content"): TextDelta,
    ("refusal", "content"): RefusalDelta,
    ("reasoning", "summary"): partial(ReasoningDelta, field="reasoning"),
    ("reasoning", "content"): partial(ReasoningDelta, field="reasoning_content"),
}
"""By channel and list: the event of a piece."""


def words_field(kind: str) -> str:
    """Give the field that holds the words of a part of that type."""
    return "refusal" if kind == "refusal" else "text"


@attrs.define(eq=False)
class Part:
    """One part of an item, as far as it came."""

    kind: str
    channel: str
    """Empty where nobody knows the type: such a part has no words."""
    tell: Callable[[str], Event]
    fields: dict[str, Any] = attrs.field(factory=dict)
    """What was last said beside its words."""
    pieces: list[str] = attrs.field(factory=list)
    logprobs: list[Any] = attrs.field(factory=list)
    citations: list[Any] = attrs.field(factory=list)
    starts: list[int] = attrs.field(factory=list)
    """Where it began to speak in its channel (characters); more than once if interrupted."""
    length: int = 0
    """How much of it was told before it last fell silent (characters)."""
    stop: int = 0
    """Where it last fell silent in its channel (characters)."""
    whole: bool = False
    """Whether *fields* are all there are."""
    said: str | None = None
    """Its words in the end, where they are others than were told."""

    def cite(self, citation: dict[str, Any]) -> Citation:
        """Tell a citation, and remember it."""
        self.citations.append(citation)
        return Citation(citation)

    def skeleton(self) -> dict[str, Any]:
        """Give the part; of words that can be cut out of what was told only where they stand."""
        if not self.channel:
            return self.fields
        own = {**self.fields, "type": self.kind}
        if not self.whole:
            own |= {"annotations": list(self.citations)} if self.kind == "output_text" else {}
            own |= {"logprobs": list(self.logprobs)} if self.logprobs else {}
        if self.starts:
            own["told"] = [self.starts[0], self.stop]
        if self.said is not None or len(self.starts) != 1:
            own[words_field(self.kind)] = "".join(self.pieces) if self.said is None else self.said
        return own


@attrs.define(eq=False)
class Channel:
    """How far a channel was told, and which part speaks."""

    _total: int = attrs.field(default=0, init=False)
    """What was told before the part that speaks (characters)."""
    _speaker: Part | None = attrs.field(default=None, init=False)

    def enter(self, part: Part) -> None:
        """Let *part* speak."""
        if self._speaker is not part:
            self.leave()
            if not part.starts or part.stop != self._total:  # else it goes on where it stopped
                part.starts.append(self._total)
                part.stop = self._total
            self._speaker = part

    def leave(self) -> None:
        """Let whoever speaks fall silent."""
        part, self._speaker = self._speaker, None
        if part is not None:
            told = sum(map(len, part.pieces))
            self._total += told - part.length
            part.length, part.stop = told, self._total


def missing(part: Part, words: Any) -> Iterator[str]:
    """
    Give what of a part's final *words* is still to be told; note them if they are others.

    Blanks around them apart: what was told counts, for a stage may have changed it.
    """
    if not isinstance(words, str) or not words:
        return
    told = "".join(part.pieces)
    part.said = None
    if words.startswith(told):
        if rest := words[len(told) :]:
            yield rest
    elif words.strip() != told.strip():
        part.said = words
