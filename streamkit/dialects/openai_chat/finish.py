"""Why an answer ended, in the words of this API."""

from __future__ import annotations

from typing import Final

from ...response import Finish, Response

__all__ = ["reason_of"]

_WORDS: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
"""The finish reasons of the API."""


def reason_of(index: int, response: Response | None, *, reason: str | None, asked: bool) -> str:
    """
    Give a choice's finish reason, in a word of the API or of one that speaks it.

    Args:
        index: of the choice.
        response: the answer; None where nobody accumulated it.
        reason: the provider's word, where it said one.
        asked: whether a call of the choice is the caller's to make.
    """
    speaks = response is not None and response.raw.get("object") == "chat.completion"
    if reason is not None and (speaks or reason in _WORDS):
        return reason
    finish, refused = _finish(index, response)
    if finish in _WORDS:
        return str(finish)
    if finish == "refusal":
        return "stop" if refused else "content_filter"
    return "tool_calls" if asked and finish in ("paused", None) else "stop"


def _finish(index: int, response: Response | None) -> tuple[Finish | None, bool]:
    """Find the neutral word of a choice, and whether the model refused in words."""
    if response is None:
        return None, False
    choice = next((c for c in response.choices if c.index == index), response)
    return choice.finish, bool(choice.refusal)
