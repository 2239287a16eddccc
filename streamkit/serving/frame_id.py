"""
The ids of frames: what a client sends back to go on.

One event may give several frames, and each has an id of its own. ``epoch-seq``
is the last frame of the event with that id in the log; the frames before it
are ``1-6.1``, ``1-6.2``: so many frames after event ``1-6``. What is said in a
silence (a heartbeat, a farewell) is ``1-6+1``: it moves nothing.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

__all__ = ["MAX_ID", "START", "FrameId"]

START: Final = "0-0"
"""The id before the first event."""

MAX_ID: Final = 64
"""The longest id that is looked at (characters); an id may come from anywhere."""

_SHAPE: Final = re.compile(
    r"(?P<event>[^.+]*)(?:\.(?P<frames>[0-9]{1,9}))?(?:\+(?P<beats>[0-9]{1,9}))?"
)


@attrs.frozen
class FrameId:
    """Where in a stream a client stands."""

    event: str
    """The id of the last event that was told whole; `START` is before the first."""
    frames: int = 0
    """How many frames of the next one were told (a count)."""
    beats: int = 0
    """How often something was said in the silence since (a count)."""

    @classmethod
    def parse(cls, text: str) -> FrameId:
        """
        Read what a client sent.

        What is no id of ours is an event's id that no log has: the client is
        told of a gap, never refused, and never taken for one that saw nothing.
        """
        shape = _SHAPE.fullmatch(text[:MAX_ID])
        if shape is None or len(text) > MAX_ID:
            return cls(text[:MAX_ID])
        return cls(shape["event"], int(shape["frames"] or 0), int(shape["beats"] or 0))
