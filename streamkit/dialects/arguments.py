"""Tool-call arguments: pieces of JSON that must never be guessed at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from ..framing import decode

__all__ = ["is_json", "settle"]


def is_json(text: str) -> bool:
    """Whether *text* is one JSON value. An empty text is none."""
    try:
        decode(text)
    except ValueError:
        return False
    return True


def settle(fragments: Sequence[str]) -> str:
    """
    Make the arguments of a call out of its fragments.

    They are joined. Only where the join is not JSON and the last fragment is,
    the fragments may have repeated themselves: each extends the one before
    (cumulative), or the last one repeats the whole. Nothing is ever invented:
    what is not JSON stays as it was sent.

    Args:
        fragments: the non-empty fragments, in order; not changed.

    Source: issue 2, point 4; peers.md B.4, 52 and 53. Guessing on the way
    destroyed arguments elsewhere (seed_systems.md 1.3), so nothing is decided
    before the end.
    """
    joined = "".join(fragments)
    if len(fragments) <= 1 or is_json(joined) or not is_json(fragments[-1]):
        return joined
    last = fragments[-1]
    cumulative = all(later.startswith(earlier) for earlier, later in pairwise(fragments))
    return last if cumulative or not _could_go_on(joined) else joined


def _could_go_on(text: str) -> bool:
    """Whether *text* is the beginning of some JSON: cut off, not repeated."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
    return True
