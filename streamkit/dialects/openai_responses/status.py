"""How an answer ended, in the words of this API."""

from __future__ import annotations

from typing import Final

from ...response import Response

__all__ = ["status_of"]

_STATUSES: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})
_CUTS: Final = {
    "length": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "content_filter": "content_filter",
}
"""Why an answer is incomplete, by the neutral word or another API's."""


def status_of(reason: str | None, response: Response | None = None) -> tuple[str, str]:
    """
    Give the status of a whole answer, and why it is incomplete (often empty).

    Args:
        reason: the provider's word, of this API or of another; None where it said none.
        response: the answer; None where nobody accumulated it.
    """
    status, _, why = (reason or "").partition(":")
    if status in _STATUSES:
        return status, why
    finish = reason if response is None else response.finish
    why = _CUTS.get(finish or "", "")
    return ("incomplete" if why else "completed"), why
