"""An answer, once it is accumulated."""

from __future__ import annotations

from typing import Any, Literal

import attrs

__all__ = ["Choice", "Finish", "Response", "Timings", "ToolCall", "Usage"]

Finish = Literal[
    "stop", "length", "tool_calls", "content_filter", "refusal", "paused", "cancelled", "other"
]
"""The neutral word for why an answer ended."""


@attrs.frozen
class ToolCall:
    """One tool call of the answer, as the model sent it."""

    id: str
    """The provider's id; empty when it gave none."""
    name: str
    """The tool's name."""
    arguments: str
    """The arguments as sent: JSON text when *valid*, whatever came otherwise; never invented."""
    valid: bool
    """Whether *arguments* is JSON."""


@attrs.frozen
class Usage:
    """What the answer cost, in the words all providers share (counts of tokens)."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    """Those of *input_tokens* that the provider read from its cache."""
    reasoning_tokens: int | None = None
    """Those of *output_tokens* spent on reasoning."""


@attrs.frozen
class Timings:
    """When things happened, in seconds since the run began; None for what never did."""

    first_byte: float | None = None
    first_progress: float | None = None
    first_text: float | None = None
    gap_median: float | None = None
    """Half the silences between deltas were no longer; those of one read have none."""
    gap_p99: float | None = None
    """Ninety-nine of a hundred were no longer."""
    total: float | None = None
    attempts: int = 1
    """How many calls were made to the provider (a count)."""


@attrs.frozen
class Choice:
    """One of the answers, where the request asked for several."""

    index: int
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    finish: Finish | None = None


@attrs.frozen
class Response:
    """
    An accumulated answer: whole, or as far as it came.

    *text*, *reasoning*, *refusal*, *tool_calls* and *finish_reason* are those
    of the first choice; *choices* has all of them.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    """The provider's own word; None when it gave none."""
    finish: Finish | None = None
    """The neutral word; None for an answer that did not end."""
    usage: Usage | None = None
    wasted: tuple[Usage, ...] = ()
    """What attempts reported that gave no part of this answer; never added to *usage*."""
    evidence: str | None = None
    """What proves the end: ``finish_reason``, ``done_marker``, ``usage``, ``buffered`` or None."""
    rerouted: bool = False
    """Whether the buffered call gave this answer after streaming failed."""
    timings: Timings = Timings()
    raw: dict[str, Any] = attrs.field(factory=dict, repr=False)
    """The answer as the provider's own non-streaming JSON."""
    choices: tuple[Choice, ...] = ()
