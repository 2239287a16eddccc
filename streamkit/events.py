"""
The vocabulary: what a run can tell its watchers.

Frozen values. Every run ends in exactly one terminal event, always the last:
`ResponseCompleted`, `ResponseFailed` or `ResponseCancelled`. Three questions
are asked of an event, never the vague "is it the first": `is_progress` feeds
the clocks, `is_visible` ends the hold, `is_text` fires ``on_first_delta``.

Provider fields that no event models travel in ``extra`` (None when there are
none), so that nothing is lost on the way into `streamkit.Response.raw`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import attrs

from .response import Response, ToolCall, Usage

__all__ = [
    "CHANNELS",
    "AwaitingInput",
    "Citation",
    "ContentEvent",
    "Event",
    "Finished",
    "Gap",
    "Heartbeat",
    "Metadata",
    "ReasoningDelta",
    "RefusalDelta",
    "Rerouted",
    "ResponseCancelled",
    "ResponseCompleted",
    "ResponseFailed",
    "ResponseStarted",
    "Retracted",
    "StepCompleted",
    "StepStarted",
    "Terminal",
    "TextDelta",
    "ToolCallCompleted",
    "ToolCallDelta",
    "ToolCallStarted",
    "ToolResult",
    "Unknown",
    "UsageReported",
    "is_progress",
    "is_text",
    "is_visible",
]

CHANNELS: Final = ("text", "reasoning", "refusal", "tool_calls", "citations", "steps")
"""Where content is shown; what a `Retracted` takes back is one channel of one choice."""


@attrs.frozen
class Event:
    """The root of the vocabulary."""

    channel: ClassVar[str | None] = None
    """The channel this event shows something in; None for all but content."""
    progress: ClassVar[bool] = False
    terminal: ClassVar[bool] = False


@attrs.frozen
class ContentEvent(Event):
    """The root of what is shown: it has a channel, and counts as progress."""

    progress = True


@attrs.frozen
class ResponseStarted(Event):
    """The provider began to answer. One in a log, whatever attempt it came from."""

    id: str = ""
    model: str = ""
    extra: dict[str, Any] | None = None


@attrs.frozen
class TextDelta(ContentEvent):
    """The next piece of the answer's text."""

    channel = "text"

    text: str
    choice: int = 0


@attrs.frozen
class ReasoningDelta(ContentEvent):
    """The next piece of the model's reasoning."""

    channel = "reasoning"

    text: str
    choice: int = 0
    field: str = "reasoning_content"
    """The provider's field (several, divided by a space) it came in."""


@attrs.frozen
class RefusalDelta(ContentEvent):
    """The next piece of the model's refusal."""

    channel = "refusal"

    text: str
    choice: int = 0


@attrs.frozen
class ToolCallStarted(ContentEvent):
    """A tool call began. Nothing to act upon yet: see `ToolCallCompleted`."""

    channel = "tool_calls"

    call: int
    """Which call of this choice, counted from 0 in the order they began."""
    id: str = ""
    name: str = ""
    choice: int = 0
    extra: dict[str, Any] | None = None
    hosted: bool = False
    """Whether the provider runs it itself: it is nobody else's to make."""


@attrs.frozen
class ToolCallDelta(ContentEvent):
    """The next piece of a tool call: of its arguments, or an id or name that came late."""

    channel = "tool_calls"

    call: int
    arguments: str = ""
    choice: int = 0
    id: str = ""
    name: str = ""
    extra: dict[str, Any] | None = None


@attrs.frozen
class ToolCallCompleted(ContentEvent):
    """
    A tool call is whole, and so is the answer it stands in: act upon it.

    Comes only after the whole answer's evidence, so it is never taken back.
    """

    channel = "tool_calls"

    call: int
    tool_call: ToolCall
    choice: int = 0


@attrs.frozen
class ToolResult(ContentEvent):
    """What a tool run by the provider gave back."""

    channel = "tool_calls"

    call: int
    content: Any = None
    choice: int = 0
    id: str = ""
    name: str = ""
    extra: dict[str, Any] | None = None


@attrs.frozen
class Citation(ContentEvent):
    """A source the answer rests on, in the provider's own shape."""

    channel = "citations"

    citation: dict[str, Any]
    choice: int = 0


@attrs.frozen
class StepStarted(ContentEvent):
    """A step of an agent's turn began: inference, tool_execution, shield_call, memory_retrieval."""

    channel = "steps"

    step: str
    id: str = ""
    choice: int = 0
    extra: dict[str, Any] | None = None


@attrs.frozen
class StepCompleted(ContentEvent):
    """A step of an agent's turn ended."""

    channel = "steps"

    step: str
    id: str = ""
    choice: int = 0
    extra: dict[str, Any] | None = None


@attrs.frozen
class AwaitingInput(Event):
    """The agent's turn waits for the caller (a client-side tool)."""

    extra: dict[str, Any] | None = None


@attrs.frozen
class UsageReported(Event):
    """What the answer cost so far; each field replaces the one before."""

    usage: Usage
    extra: dict[str, Any] | None = None
    """The provider's own usage object."""


@attrs.frozen
class Finished(Event):
    """A choice got its finish reason."""

    choice: int
    reason: str
    extra: dict[str, Any] | None = None


@attrs.frozen
class Metadata(Event):
    """Provider fields that no other event models."""

    choice: int | None
    """The choice they belong to; None for the answer as a whole."""
    extra: dict[str, Any]
    message: bool = False
    """Whether they belong to the choice's message (else to the choice itself)."""


@attrs.frozen
class Unknown(Event):
    """A frame the dialect does not know; kept, never an error."""

    data: Any
    event: str = "message"


@attrs.frozen
class Heartbeat(Event):
    """Nothing came for a while. Minted by a cursor, never logged."""


@attrs.frozen
class Rerouted(Event):
    """Streaming failed; the buffered call takes over."""

    code: str
    """The streaming error's stable code, never its message."""
    attempt: int = 2
    """The number of the attempt that takes over, counted from 1."""


@attrs.frozen
class Retracted(Event):
    """Forget what was shown in this channel of this choice; what counts comes next."""

    channel: str  # type: ignore[misc]  # an event of its own field: it shows nothing
    choice: int = 0


@attrs.frozen
class Gap(Event):
    """The log no longer has every event after *after*; what follows is the answer so far."""

    after: str
    """The id (``epoch-seq``) the reader asked to go on from."""


@attrs.frozen
class Terminal(Event):
    """The root of the three ends."""

    terminal = True


@attrs.frozen
class ResponseCompleted(Terminal):
    """The answer is whole."""

    response: Response | None = None
    """The answer; None until the accumulator put it there."""
    evidence: str | None = None
    """What proved the end (see `streamkit.Response.evidence`)."""


@attrs.frozen
class ResponseFailed(Terminal):
    """The answer could not be had; *response* is as much of it as came."""

    error: Exception
    response: Response


@attrs.frozen
class ResponseCancelled(Terminal):
    """The run was cancelled; *response* is as much of the answer as came."""

    response: Response


def is_progress(event: Event) -> bool:
    """Whether this shows the provider at work: any delta. Feeds the clocks."""
    return event.progress


def is_visible(event: Event) -> bool:
    """Whether a watcher sees something: non-blank text, reasoning or refusal, a tool, a step."""
    if not event.progress:
        return False
    text = getattr(event, "text", None)
    return text is None or not (text == "" or text.isspace())


def is_text(event: Event) -> bool:
    """Whether this is text of the answer."""
    return type(event) is TextDelta and event.text != ""
