"""Tool-call arguments: pieces of JSON that must never be guessed at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..framing import decode, encode

__all__ = ["as_text", "could_go_on", "is_json", "is_object", "same_json", "settle"]


def as_text(value: Any) -> str:
    """Give arguments as text: as they were sent, or in JSON where some server sent a value."""
    if isinstance(value, str):
        return value
    return "" if value is None else encode(value).decode()


def is_json(text: str) -> bool:
    """Whether *text* is one JSON value. An empty text is none."""
    try:
        decode(text)
    except ValueError:
        return False
    return True


def is_object(text: str) -> bool:
    """Whether *text* is one JSON object, as the arguments of every call are."""
    return text.lstrip().startswith("{") and is_json(text)


def same_json(one: str, other: str) -> bool:
    """Whether two JSON texts say the same, in whatever spacing and order."""
    return bool(decode(one) == decode(other))


def settle(fragments: Sequence[str]) -> str:
    """
    Make the arguments of a call out of its fragments.

    They are joined. Only where the join is not JSON and the last fragment is
    a JSON object, the fragments may have repeated themselves: each extends
    the one before (cumulative), or the last one repeats the whole. Nothing is
    ever invented: what is not JSON stays as it was sent.

    Args:
        fragments: the non-empty fragments, in order; not changed.

    Source: issue 2, point 4; docs/reference/quirks.md, 52 and 53. Guessing on the way
    destroyed arguments elsewhere, so nothing is decided
    before the end.
    """
    joined = "".join(fragments)
    if len(fragments) <= 1 or is_json(joined) or not is_object(last := fragments[-1]):
        return joined
    cumulative = all(later.startswith(earlier) for earlier, later in pairwise(fragments))
    return last if cumulative or _repeats("".join(fragments[:-1]), last) else joined


def _repeats(before: str, last: str) -> bool:
    """Whether *last* says again what *before* said, which need not have come to its end."""
    return same_json(before, last) if is_json(before) else not could_go_on(before + last)


def could_go_on(text: str) -> bool:
    """Whether *text* is the beginning of some JSON: cut off, not repeated."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
    except RecursionError:
        pass
    return True
