"""What an act says: lines that become events, and so frames of any dialect."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import attrs

from ... import response
from ...errors import MisuseError, excerpt
from ...events import (
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)

__all__ = [
    "Content",
    "Done",
    "Error",
    "Finish",
    "Reasoning",
    "Refusal",
    "Text",
    "Tool",
    "Usage",
    "pieces_of",
]


def pieces_of(text: str, count: int) -> tuple[str, ...]:
    """
    Cut *text* into so many pieces of nearly the same length.

    Raises:
        MisuseError: there are more pieces than characters.
    """
    if not 1 <= count <= max(1, len(text)):
        raise MisuseError(
            f"expected 1 to {max(1, len(text))} pieces of {excerpt(text)!r}; got {count}"
        )
    ends = [len(text) * number // count for number in range(count + 1)]
    return tuple(text[start:end] for start, end in pairwise(ends))


class Content:
    """The root of what is said: a line that becomes events."""

    __slots__ = ()
    choice: int = 0

    def events(self, call: int, /) -> Sequence[Event]:
        """
        Give the events of this line.

        Args:
            call: how many tool calls of its choice were told before it (a count).
        """
        raise NotImplementedError


def _at_least_one(_line: object, _field: object, pieces: tuple[object, ...]) -> None:
    if not pieces:
        raise MisuseError("expected at least one piece of text; got none")


def _texts(_line: object, _field: object, pieces: tuple[object, ...]) -> None:
    for piece in pieces:
        if not isinstance(piece, str):
            raise MisuseError(f"expected pieces of text; got {excerpt(piece)}")


def _counted(_line: object, field: attrs.Attribute[int], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MisuseError(f"expected {field.name} to be a count; got {excerpt(value)}")


@attrs.frozen(init=False)
class _Spoken(Content):
    """
    Pieces of one channel, a delta each.

    Args:
        pieces: at least one.
        choice: of the answer.
    """

    kind: ClassVar[type[TextDelta | ReasoningDelta | RefusalDelta]]

    pieces: tuple[str, ...] = attrs.field(validator=[_at_least_one, _texts])
    choice: int = attrs.field(default=0, validator=_counted)

    def __init__(self, *pieces: str, choice: int = 0) -> None:
        self.__attrs_init__(pieces, choice)

    def events(self, _call: int, /) -> Sequence[Event]:
        """Give a delta for each piece."""
        return [self.kind(piece, self.choice) for piece in self.pieces]


@attrs.frozen(init=False)
class Text(_Spoken):
    """Text, a delta for each piece."""

    kind = TextDelta


@attrs.frozen(init=False)
class Reasoning(_Spoken):
    """Reasoning, a delta for each piece."""

    kind = ReasoningDelta


@attrs.frozen(init=False)
class Refusal(_Spoken):
    """A refusal, a delta for each piece."""

    kind = RefusalDelta


@attrs.frozen(init=False)
class Tool(Content):
    """
    One tool call: it begins with its name, then a delta for each piece.

    Args:
        name: of the tool.
        pieces: of the arguments' JSON, as they are sent; none for a call
            that is sent without any. See `pieces_of`.
        id: of the call; by default ``call_1``, ``call_2`` and so on.
        choice: of the answer.
    """

    name: str
    pieces: tuple[str, ...] = attrs.field(validator=_texts)
    id: str
    choice: int = attrs.field(validator=_counted)

    def __init__(self, name: str, *pieces: str, id: str = "", choice: int = 0) -> None:  # noqa: A002
        self.__attrs_init__(name, pieces, id, choice)

    def events(self, call: int, /) -> Sequence[Event]:
        """Give the call's start and a delta for each piece of its arguments."""
        started = ToolCallStarted(call, self.id or f"call_{call + 1}", self.name, self.choice)
        return [started, *(ToolCallDelta(call, piece, self.choice) for piece in self.pieces)]


@attrs.frozen
class Finish(Content):
    """
    Why a choice ended.

    Args:
        reason: the provider's word, or a neutral one, which each API is told in a word of
            its own: ``stop``, ``length``, ``tool_calls``.
        choice: of the answer.
    """

    reason: str = "stop"
    choice: int = attrs.field(default=0, validator=_counted)

    def events(self, _call: int, /) -> Sequence[Event]:
        """Give the end of the choice."""
        return [Finished(self.choice, self.reason)]


@attrs.frozen
class Usage(Content):
    """What the answer cost: tokens read and tokens written (counts)."""

    input: int = attrs.field(validator=_counted)
    output: int = attrs.field(validator=_counted)

    def events(self, _call: int, /) -> Sequence[Event]:
        """Give the report."""
        total = self.input + self.output
        return [UsageReported(response.Usage(self.input, self.output, total))]


@attrs.frozen
class Error(Content):
    """
    An error in band: in a stream a frame, else the body.

    Args:
        message: what the provider says.
        type: the provider's class of the error.
        code: the provider's own word for it.
    """

    message: str
    type: str = "server_error"
    code: str | None = None

    def events(self, _call: int, /) -> Sequence[Event]:
        """Give none: no event says what a provider says."""
        return []


@attrs.frozen
class Done(Content):
    """
    Whether and where the done marker is sent, where the dialect has one.

    Without this line it comes behind the last thing said, if that has a `Finish`.
    """

    sent: bool = True

    def events(self, _call: int, /) -> Sequence[Event]:
        """Give none: the done marker is told with the end."""
        return []
