"""What an answer cost, in the words of both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...events import UsageReported
from ...response import Usage
from ..usage import count

__all__ = ["usage_json", "usage_of"]

_INPUTS: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""The API counts these side by side: none is a part of another."""


def usage_of(raw: Mapping[str, Any]) -> Usage:
    """Read ``usage``; its input is all three counts of it."""
    inputs = [number for word in _INPUTS if (number := count(raw, word)) is not None]
    read, output = sum(inputs) if inputs else None, count(raw, "output_tokens")
    return Usage(
        input_tokens=read,
        output_tokens=output,
        total_tokens=None if read is None or output is None else read + output,
        cached_tokens=count(raw, "cache_read_input_tokens"),
        reasoning_tokens=count(raw.get("output_tokens_details"), "thinking_tokens"),
    )


def usage_json(reported: UsageReported) -> dict[str, Any]:
    """
    Give what was reported in the API's words.

    The provider's own object is given as it is where its words are these; the
    Responses API has the same, and counts the cache in, but it says a total.
    """
    own, usage = reported.extra or {}, reported.usage
    if own.keys() & {"input_tokens", "output_tokens"} and "total_tokens" not in own:
        return own
    cached, thinking = usage.cached_tokens, usage.reasoning_tokens
    read = None if usage.input_tokens is None else max(usage.input_tokens - (cached or 0), 0)
    words = {
        "input_tokens": read,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": cached,
        "output_tokens_details": None if thinking is None else {"thinking_tokens": thinking},
    }
    return {word: number for word, number in words.items() if number is not None}
