"""Why an answer ended: the API's words, read and written."""

from __future__ import annotations

from typing import Any, Final

from ...response import Finish, Response

__all__ = ["CLEAN", "MALFORMED", "finish_of", "reason_of", "word_of"]

CLEAN: Final = "STOP"
"""The model came to its end: what was open is whole."""
MALFORMED: Final = "MALFORMED_FUNCTION_CALL"
"""The model made a call that is none."""

_NUMBERS: Final = (
    "",  # FINISH_REASON_UNSPECIFIED
    CLEAN,
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    MALFORMED,
    "IMAGE_SAFETY",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
)
"""The words by their numbers, which ``$alt=json;enum-encoding=int`` sends."""
_FILTERED: Final = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
    }
)
_UNSAID: Final = frozenset({"", "FINISH_REASON_UNSPECIFIED"})
_WORDS: Final[dict[Finish | None, str]] = {
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": CLEAN,
    "other": "OTHER",
}


def word_of(reason: Any) -> str:
    """Read a ``finishReason``, a word or a number; empty where it says nothing."""
    if isinstance(reason, int) and not isinstance(reason, bool):
        return _NUMBERS[reason] if 0 <= reason < len(_NUMBERS) else str(reason)
    word = reason if isinstance(reason, str) else ""
    return "" if word in _UNSAID else word


def finish_of(reason: str | None, *, called: bool) -> Finish:
    """Give the neutral word; *called* is whether there are calls, which end in ``STOP`` too."""
    if reason in (None, CLEAN):
        return "tool_calls" if called else "stop"
    if reason == "MAX_TOKENS":
        return "length"
    return "content_filter" if reason in _FILTERED else "other"


def reason_of(index: int, response: Response | None, reason: str | None) -> str:
    """
    Give a choice's finish reason in a word of the API.

    Args:
        index: of the choice.
        response: the answer; None where nobody accumulated it.
        reason: the provider's word, where it said one.
    """
    speaks = response is None or not response.raw or "candidates" in response.raw
    if reason is not None and speaks and reason.isupper():  # words to come among them
        return reason
    choices = response.choices if response is not None else ()
    finish = next((choice.finish for choice in choices if choice.index == index), None)
    return _WORDS.get(finish, CLEAN)
