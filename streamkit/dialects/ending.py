"""How an answer ends that is not whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import TruncatedStream, excerpt
from ..events import Event

__all__ = ["raise_behind", "truncated"]


def truncated(expected: str, saw: str, residue: str = "") -> TruncatedStream:
    """
    Give the error for a body that ended without evidence.

    Args:
        expected: what would have been evidence.
        saw: what of the answer came, or did not.
        residue: what the body held beside its frames.
    """
    beside = f"; the body also held {excerpt(residue)!r}" if residue else ""
    return TruncatedStream(
        f"expected {expected} before the end of the stream; {saw}{beside}; "
        "the connection was cut, or the provider ended early"
    )


def raise_behind(events: Sequence[Event], error: Exception) -> Iterator[Event]:
    """Give what a frame held before its error, and then raise the error."""
    yield from events
    raise error
