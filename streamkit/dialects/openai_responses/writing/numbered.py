"""The events of a stream, each with its number."""

from __future__ import annotations

from typing import Any, Final

import attrs

from ....framing import Frame, encode_ascii

__all__ = ["Numbered"]

_TEXT: Final = "response.output_text"


@attrs.define(eq=False)
class Numbered:
    """Writes the events of one stream, and counts them."""

    _next: int = attrs.field(default=0, init=False)
    """The number of the next event."""

    def event(self, kind: str, **fields: Any) -> Frame:
        """Give the next event."""
        number, self._next = self._next, self._next + 1
        return Frame(encode_ascii({"type": kind, "sequence_number": number, **fields}), kind)

    def piece(self, between: bytes, words: str, event: str = _TEXT) -> Frame:
        """Give a ``delta`` of *words*; *between* stands before them, behind its number."""
        number, self._next = self._next, self._next + 1
        head = b'{"type":"%b.delta","sequence_number":%d' % (event.encode(), number)
        return Frame(head + between + encode_ascii(words) + b"}", f"{event}.delta")
