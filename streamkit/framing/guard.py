"""
The guard in front of httpx-sse: every byte stream, made frames that are safe for it.

httpx-sse 0.4.3 follows WHATWG HTML 9.2; live streams do not, and it cannot be
asked to bound them. What the guard adds (the reasons are its tests):

1. SSE is UTF-8, whatever the header says; a fault becomes U+FFFD.
2. CR and CRLF become LF, so no frame waits for a byte it does not need.
3. The lines of a frame are bounded; keep-alive comments never count, nor are they kept.
4. The end of the body completes the last frame (WHATWG discards it).
5. Lines that are no field are kept, bounded: often an error in the clear.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import deque
from typing import Final

import attrs

__all__ = ["RESIDUE", "Guard"]

RESIDUE: Final = 8 * 1024
"""How much of the lines that are not SSE is kept (bytes); older lines give way."""

_FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:")
_BARE: Final = frozenset({b"data", b"event", b"id", b"retry"})  # an empty value, WHATWG says


@attrs.define(eq=False)
class Guard:
    """Bytes in, the text of whole frames out, however the bytes are cut."""

    max_frame_bytes: int
    """Bytes of one frame's lines, comments and line ends not counted."""
    cut: bool = attrs.field(default=False, init=False)
    """Whether the body has ended within a frame: the end alone completed it."""
    fresh: bool = attrs.field(default=True, init=False)
    """Whether nothing is open or pending: the next byte begins a line, and a frame."""
    begun: bool = attrs.field(default=False, init=False)
    """Whether anything came, fed or not: a byte order mark comes before all."""
    _frame: list[bytes] | tuple[()] = attrs.field(default=(), init=False)  # the open one's lines
    _size: int = attrs.field(default=0, init=False)  # bytes in _frame
    _line: bytes | bytearray = attrs.field(default=b"", init=False)  # the open one
    _length: int = attrs.field(default=0, init=False)  # bytes in _line
    _head: bytes = attrs.field(default=b"", init=False)  # the first, perhaps of a BOM
    _after_cr: bool = attrs.field(default=False, init=False)
    _lines: deque[bytes] | tuple[()] = attrs.field(default=(), init=False)  # the residue's
    _kept: int = attrs.field(default=0, init=False)  # bytes in _lines

    @property
    def residue(self) -> str:
        """The last lines that are no part of SSE, at most `RESIDUE` bytes of them."""
        return b"\n".join(self._lines).decode("utf-8", "replace")

    def feed(self, chunk: bytes) -> tuple[str, bool]:
        """
        Take the next bytes.

        Returns:
            The text of the frames they complete, and whether the open one is
            still within *max_frame_bytes*. Where it is not, nothing more is to
            be fed.
        """
        done: list[bytes] = []
        *ended, rest = self._line_feeds(self._unmarked(chunk)).split(b"\n")
        fits = True
        for part in ended:
            fits = self._grow(part)
            if not fits:
                break
            self._end_line(done)
        fits = fits and self._grow(rest)
        pending = self._size or self._length or self._after_cr or not self.begun
        self.fresh = not pending
        return b"".join(done).decode("utf-8", "replace"), fits

    def eof(self) -> str:
        """End the body; give the text of a frame that this completes."""
        if not self._size and not self._length:
            return ""
        self.cut = True
        done: list[bytes] = []
        self._end_line(done)
        self._end_line(done)
        return b"".join(done).decode("utf-8", "replace")

    def _unmarked(self, chunk: bytes) -> bytes:
        """Take the byte order mark off the first bytes, however they are cut."""
        if self.begun:
            return chunk
        self._head += chunk
        if len(self._head) < len(BOM_UTF8) and BOM_UTF8.startswith(self._head):
            return b""
        self.begun = True
        return self._head.removeprefix(BOM_UTF8)

    def _line_feeds(self, chunk: bytes) -> bytes:
        """Make every line end an LF; the LF of a CRLF cut in two is swallowed."""
        if not chunk:
            return chunk
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" not in chunk:
            return chunk
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _grow(self, part: bytes) -> bool:
        """Add to the open line; whether the frame is still within the bound."""
        if part:
            if type(self._line) is bytes and self._line:  # nearly all come in one part
                self._line = bytearray(self._line)
            self._line += part
            self._length += len(part)
        return self._size + self._length <= self.max_frame_bytes

    def _end_line(self, done: list[bytes]) -> None:
        """End the open line; a blank one ends the frame, whose lines go to *done*."""
        line, length = bytes(self._line), self._length
        self._line, self._length = b"", 0
        if not line:
            if self._frame:
                done += (*self._frame, b"\n")
            self._frame, self._size = (), 0
        elif not line.startswith(b":"):  # a comment is not kept, so it costs nothing
            self._size += length
            if line.startswith(_FIELDS) or line in _BARE:
                self._frame = self._frame or []
                self._frame.append(line + b"\n")
            else:
                self._keep(line[:RESIDUE])

    def _keep(self, line: bytes) -> None:
        lines = self._lines = self._lines or deque()
        lines.append(line)
        self._kept += len(line) + 1
        while self._kept > RESIDUE and len(lines) > 1:
            self._kept -= len(lines.popleft()) + 1
