"""
The guard around httpx-sse: every byte stream, made safe for it.

httpx-sse 0.4.3 follows WHATWG HTML 9.2; live streams do not, and it cannot be
asked to bound them. What the guard adds (the reasons are its tests):

1. SSE is UTF-8, whatever the header says; a fault becomes U+FFFD.
2. CR and CRLF become LF, so no frame waits for a byte it does not need.
3. The lines of a frame are bounded; keep-alive comments never count.
4. The end of the body completes the last frame (WHATWG discards it).
5. Lines that are no field are kept, bounded: often an error in the clear.
6. Frames of one ``data:`` line each, which nearly all are, need no parser: to
   who asks for it they are handed straight on, where nothing else is open.
"""

from __future__ import annotations

from codecs import BOM_UTF8, utf_8_decode
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import ClassVar, Final

import attrs

from streamkit.framing.frame import Frame
from streamkit.framing.framer import too_large

__all__ = ["RESIDUE", "Guard"]

RESIDUE: Final = 8 * 1024
"""How much of the lines that are not SSE is kept (bytes); older lines give way."""

_FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")
_BARE: Final = frozenset({b"data", b"event", b"id", b"retry"})  # an empty value, WHATWG says
_ENDS: Final = (b"\n\n", b"\r\n\r\n")


@attrs.define(eq=False)
class Guard:
    """
    What `httpx_sse.EventSource` needs of a response, over any byte stream.

    Attributes:
        cut: whether the body has ended within a frame; the frames read from
            then on were completed by the end alone.
    """

    headers: ClassVar[dict[str, str]] = {"content-type": "text/event-stream"}

    _body: AsyncIterable[bytes]
    _max_frame_bytes: int = attrs.field(kw_only=True)
    take: Callable[[Frame], object] | None = attrs.field(default=None, init=False)
    """Takes plain frames, past the text; None, or who needs their ids, has them in the text."""
    cut: bool = attrs.field(default=False, init=False)
    _texts: AsyncGenerator[str, None] | None = attrs.field(default=None, init=False)
    _lines: deque[bytes] | tuple[()] = attrs.field(default=(), init=False)  # the residue's
    _kept: int = attrs.field(default=0, init=False)  # bytes in _lines
    _frame: int = attrs.field(default=0, init=False)  # bytes of the open frame's ended lines
    _length: int = attrs.field(default=0, init=False)  # bytes of the open line
    _line: bytes = attrs.field(default=b"", init=False)  # its first RESIDUE bytes
    _head: bytes | None = attrs.field(default=b"", init=False)  # None: no longer a BOM's
    _tail: bytes = attrs.field(default=b"", init=False)  # a character's first bytes
    _after_cr: bool = attrs.field(default=False, init=False)
    _fresh: bool = attrs.field(default=True, init=False)  # nothing is open or pending

    @property
    def residue(self) -> str:
        """The last lines that are no part of SSE, at most `RESIDUE` bytes of them."""
        return b"\n".join(self._lines).decode("utf-8", "replace")

    def aiter_text(self) -> AsyncGenerator[str, None]:
        """
        Yield the body as text, never empty; `aclose` ends it.

        Raises:
            FrameTooLarge: the lines since the last blank one pass
                *max_frame_bytes* (bytes; comments and line ends not counted).
                The text of the frames before it is yielded first.
        """
        self._texts = self._read()
        return self._texts

    async def aclose(self) -> None:
        """Close the text; the body is left to its owner."""
        if self._texts is not None:
            await self._texts.aclose()

    async def _read(self) -> AsyncGenerator[str, None]:
        limit, take = self._max_frame_bytes, self.take
        async for chunk in self._body:
            # The hot path: with nothing open, here or in httpx-sse (an id it keeps is in no
            # frame), whole frames only need decoding.
            if self._fresh and len(chunk) <= limit:
                if take is not None and _taken(chunk, take):
                    self._head = None
                    continue
                if _is_plain(chunk):
                    self._head = None
                    yield chunk.decode("utf-8", "replace")
                    continue
            good, fits = self._count(self._line_feeds(self._unmarked(chunk)))
            if text := self._text(good):
                yield text
            if not fits:
                raise too_large("an SSE frame", limit)
        if self._frame or self._length:
            self._end_line()
            self.cut = True
            yield self._text(b"", final=True) + "\n\n"

    def _unmarked(self, chunk: bytes) -> bytes:
        """Take the byte order mark off the first bytes, however they are cut."""
        if self._head is None:
            return chunk
        self._head += chunk
        if len(self._head) < len(BOM_UTF8) and BOM_UTF8.startswith(self._head):
            return b""
        chunk, self._head = self._head.removeprefix(BOM_UTF8), None
        return chunk

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

    def _count(self, chunk: bytes) -> tuple[bytes, bool]:
        """Follow the lines; return what may pass, and whether it fits the bound."""
        passed = 0  # up to the last blank line
        start = 0
        while end := chunk.find(b"\n", start) + 1:
            if not self._grow(chunk[start : end - 1]):
                return chunk[:passed], False
            self._end_line()
            if not self._frame:
                passed = end
            start = end
        fits = self._grow(chunk[start:])
        pending = self._frame or self._length or self._after_cr or self._head is not None
        self._fresh = not pending
        return chunk if fits else chunk[:passed], fits

    def _grow(self, part: bytes) -> bool:
        """Add to the open line; whether the frame is still within the bound."""
        if len(self._line) < RESIDUE:
            self._line = (self._line + part)[:RESIDUE]
        self._length += len(part)
        return self._frame + self._length <= self._max_frame_bytes

    def _end_line(self) -> None:
        line, length = self._line, self._length
        self._line, self._length = b"", 0
        if not line:
            self._frame = 0
        elif not line.startswith(b":"):  # a comment is not kept, so it costs nothing
            self._frame += length
            if not line.startswith(_FIELDS) and line not in _BARE:
                self._keep(line)

    def _keep(self, line: bytes) -> None:
        lines = self._lines = self._lines or deque()
        lines.append(line)
        self._kept += len(line) + 1
        while self._kept > RESIDUE and len(lines) > 1:
            self._kept -= len(lines.popleft()) + 1

    def _text(self, chunk: bytes, *, final: bool = False) -> str:
        """Decode what is whole; a character cut in two waits for its rest."""
        data = self._tail + chunk
        text, used = utf_8_decode(data, "replace", final)
        self._tail = data[used:]
        return text


def _taken(chunk: bytes, take: Callable[[Frame], object]) -> bool:
    """Hand *chunk* on where it is nothing but frames of one ``data:`` line each."""
    if chunk[:5] != b"data:" or chunk[-2:] != b"\n\n" or b"\r" in chunk:
        return False
    lines = chunk[5:-2].split(b"\n\ndata:")
    if chunk.count(b"\n") != 2 * len(lines):
        return False
    for line in lines:
        if data := line.decode("utf-8", "replace").removeprefix(" "):
            take(Frame(data))
    return True


def _is_plain(chunk: bytes) -> bool:
    """Whether *chunk* is frames from end to end, each line a field, a comment or blank."""
    if not chunk.endswith(_ENDS):
        return False
    for line in chunk.splitlines():  # noqa: SIM110 (a generator would cost more than the test)
        if line and not line.startswith(_FIELDS):
            return False
    return True
