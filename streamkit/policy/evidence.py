"""What proves that an answer is complete."""

from __future__ import annotations

from typing import Literal

__all__ = ["Evidence", "completion_evidence"]

Evidence = Literal["finish_reason", "done_marker", "usage", "buffered"]


def completion_evidence(
    *, answered: bool, finished: int, unfinished: int, done: bool, usage: bool
) -> Evidence | None:
    """
    Judge whether what was seen proves the end of the answer.

    A connection that simply ends proves nothing. A done marker or a final
    usage report does, but only behind an answer: alone it is none.

    Args:
        answered: a chunk of the answer was seen, with or without content.
        finished: choices that got their finish reason (a count).
        unfinished: choices that were seen and got none (a count).
        done: the done marker was seen.
        usage: a usage report of its own, without content, was seen.

    Returns:
        The strongest evidence, or None: the answer is truncated.

    Source: issue 2, "EOF without completion evidence is a failure".
    """
    if finished and not unfinished:
        return "finish_reason"
    if answered and done:
        return "done_marker"
    if answered and usage:
        return "usage"
    return None
