"""Newline-delimited JSON: one value a line (Ollama, Cohere v1)."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from streamkit.framing.frame import Frame
from streamkit.framing.framer import Framer, too_large

__all__ = ["Lines"]


@attrs.define(eq=False)
class Lines(Framer):
    """
    Cut a body into its non-blank lines, each a frame of bytes.

    LF, CRLF and CR all end a line: JSON has no raw line ends in its strings.
    """

    max_frame_bytes: int
    """Bytes of one line, its end not counted."""
    _parts: list[bytes] = attrs.field(factory=list, init=False)
    _size: int = attrs.field(default=0, init=False)

    def _cut(self, chunk: bytes) -> Iterator[Frame]:
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r", b"\n")
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._hold(part)
            yield from self._line(cut=False)
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self.max_frame_bytes:
            raise too_large("a line", self.max_frame_bytes)
        if part:
            self._parts.append(part)

    def _line(self, *, cut: bool) -> Iterator[Frame]:
        line = b"".join(self._parts).strip()
        self._parts.clear()
        self._size = 0
        if line:
            yield Frame(line, cut=cut)

    def _finish(self) -> Iterator[Frame]:
        return self._line(cut=True)
