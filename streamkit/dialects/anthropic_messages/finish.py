"""Why an answer ended, in the words of this API."""

from __future__ import annotations

from typing import Final

from ...response import Finish, Response

__all__ = ["FINISHES", "reason_of"]

FINISHES: Final[dict[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "paused",
    "compaction": "paused",
    "refusal": "refusal",
}
"""The neutral word for each stop reason of the API."""

_REASONS: Final[dict[str | None, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "paused": "pause_turn",
    "refusal": "refusal",
    "content_filter": "refusal",
}
"""The API's word for a neutral one."""


def reason_of(reason: str | None, response: Response | None, *, asked: bool) -> str:
    """
    Give the stop reason, in a word of the API or of a provider that speaks it.

    Args:
        reason: the provider's word, where it said one.
        response: the answer; None where nobody accumulated it.
        asked: whether a call is the caller's to make.
    """
    speaks = response is not None and response.raw.get("type") == "message"
    if reason is not None and (speaks or reason in FINISHES):
        return _REASONS.get(reason, reason)  # a stage may have put a neutral word in its place
    finish = None if response is None else response.finish
    if asked and finish in ("paused", None):
        return "tool_use"
    return _REASONS.get(finish, "end_turn")
