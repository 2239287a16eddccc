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
    _open: bytearray = attrs.field(factory=bytearray, init=False)

    def _cut(self, chunk: bytes) -> Iterator[Frame]:
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r", b"\n")
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._hold(part)
            yield from self._line(cut=False)
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        if len(self._open) + len(part) > self.max_frame_bytes:
            raise too_large("a line", self.max_frame_bytes)
        self._open += part

    def _line(self, *, cut: bool) -> Iterator[Frame]:
        line = bytes(self._open).strip()
        self._open.clear()
        if line:
            yield Frame(line, cut=cut)

    def _finish(self) -> Iterator[Frame]:
        return self._line(cut=True)
