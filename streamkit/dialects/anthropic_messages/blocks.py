"""The content blocks of a message: what their types are, and those that are being told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from ...events import Event, Metadata, ReasoningDelta, TextDelta, ToolCallDelta
from ...framing import encode
from ..arguments import could_go_on, is_json

__all__ = ["Block", "Call", "block_of", "is_call", "is_result", "mark"]


def is_call(kind: str) -> bool:
    """Whether a block of this type is a tool call, whoever runs it."""
    return kind == "tool_use" or kind.endswith("_tool_use")


def is_result(kind: str) -> bool:
    """Whether a block of this type is what a tool of the provider's gave back."""
    return kind.endswith("_tool_result")


def mark(index: int, fields: dict[str, Any]) -> Metadata:
    """Tell *fields* of the content block of that number; without any, that it goes on."""
    return Metadata(0, {"content": [{**fields, "index": index}]}, message=True)


@attrs.define(eq=False)
class Block:
    """
    A content block, as far as it came.

    Of this type itself: one that speaks, or comes whole, or by deltas of its own.
    """

    number: int
    """Its place among the blocks of the answer, counted from 0."""
    kind: str
    takes: str = ""
    """The type of delta that has more of its text; empty where it has none."""
    field: str = ""
    """The field of such a delta, and of the block, that has the text."""
    tell: Callable[[str], Event] = TextDelta
    """Gives the event of a piece of its text."""
    wire: int = attrs.field(default=0, init=False)
    """Its index in the stream."""
    told: bool = attrs.field(default=False, init=False)
    """Whether a piece was told."""

    def close(self) -> tuple[Event, ...]:
        """Give what can be told only now that the block is whole."""
        return ()


@attrs.define(eq=False)
class Call(Block):
    """A tool call. Its input is whole at its start, or comes in pieces of JSON text."""

    call: int = 0
    """Its place among the calls of the answer, counted from 0."""
    given: Any = None
    """The input at its start; deltas, where there are any, say it anew."""
    _pieces: list[str] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.takes, self.field, self.tell = "input_json_delta", "partial_json", self._piece

    def _piece(self, text: str) -> Event:
        self._pieces.append(text)
        return ToolCallDelta(self.call, text)

    def close(self) -> tuple[Event, ...]:
        """Give the input of its start, where no delta came."""
        given, self.given = self.given, None
        if given is None or self._pieces:
            return ()
        return (self._piece(given if isinstance(given, str) else encode(given).decode()),)

    @property
    def cut(self) -> bool:
        """Whether its input is the beginning of JSON and no more: nobody may act on it."""
        text = "".join(self._pieces)
        return bool(text.strip()) and not is_json(text) and could_go_on(text)


_SPEECH: Final[dict[str, Callable[[str], Event]]] = {"text": TextDelta, "thinking": ReasoningDelta}
"""By type of a block that speaks, which is also the field of its text: the event of a piece."""


def block_of(number: int, kind: str) -> Block:
    """Make the block of a type that is no call."""
    if kind not in _SPEECH:
        return Block(number, kind)
    return Block(number, kind, f"{kind}_delta", kind, _SPEECH[kind])
