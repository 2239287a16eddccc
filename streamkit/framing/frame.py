"""What a body is cut into, and how it ends."""

from __future__ import annotations

import attrs

__all__ = ["Ended", "Frame"]


@attrs.define
class Frame:
    """
    One frame of a body: an SSE event, a line of NDJSON, a value of an array, or all of it.

    A value; not frozen, because one is made for every chunk and that would
    double its cost.
    """

    data: str | bytes
    event: str = "message"
    whole: bool = False
    """Whether *data* is one JSON body instead of a part of a stream."""
    cut: bool = False
    """Whether only the end of the body completed it (no blank line, no line feed)."""


@attrs.frozen
class Ended:
    """The body ended; what comes next is the dialect's verdict."""

    residue: str = ""
    """Lines that were no part of the framing, bounded: often an error in the clear."""
