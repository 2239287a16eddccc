"""One JSON array sent piece by piece, its values cut out as they close (Gemini without SSE)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from streamkit.framing.frame import Frame
from streamkit.framing.framer import Framer, too_large

__all__ = ["ArrayItems"]

# Possessive, so linear: whole strings are skipped in one step, and what stops
# the match is a bracket, a comma between values, or a string still open.
_WITHIN = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_BETWEEN = re.compile(rb'(?:[^"{}\[\],]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_GAP = re.compile(rb"[\s,]*+")


@attrs.define(eq=False)
class ArrayItems(Framer):
    """
    Cut a JSON array into its values, each a frame of bytes.

    An object or an array is given the moment it closes; a number or a string
    when the comma after it comes. What follows the array is ignored.
    """

    max_frame_bytes: int
    """Bytes of one value."""
    _held: bytearray = attrs.field(factory=bytearray, init=False)
    _start: int = attrs.field(default=0, init=False)  # of the value, in _held
    _at: int = attrs.field(default=0, init=False)  # scanned up to here
    _depth: int = attrs.field(default=0, init=False)  # 1 is between the values
    _in_string: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def _cut(self, chunk: bytes) -> Iterator[Frame]:
        self._held += chunk
        while (value := self._next()) is not None:
            if value:
                yield Frame(value)
        del self._held[: self._start]
        self._at -= self._start
        self._start = 0
        self._check(len(self._held))

    def _next(self) -> bytes | None:
        """Scan to the end of a value (b"" where there was none); None: no more to scan."""
        while self._skip():
            char = self._held[self._at]
            self._at += 1
            if char in b"{[":
                self._depth += 1
                if self._depth == 1:  # the array's own bracket
                    self._start = self._at
            elif char in b"}]":
                self._depth -= 1
                if self._depth <= 1:
                    self._closed = self._depth == 0
                    return self._take(self._at - self._closed)
            else:  # a comma between values
                return self._take(self._at - 1)
        return None

    def _skip(self) -> bool:
        """Move to the next byte that matters; False where it has not come yet."""
        if self._closed:
            self._start = self._at = len(self._held)
            return False
        if self._depth == 1 and self._start == self._at:
            self._start = self._at = self._end_of(_GAP)
        if self._in_string and not self._leave_string():
            return False
        self._at = self._end_of(_WITHIN if self._depth > 1 else _BETWEEN)
        if self._at < len(self._held) and self._held[self._at] == ord('"'):
            self._at += 1
            self._in_string = True
            return self._skip()
        return self._at < len(self._held)

    def _leave_string(self) -> bool:
        self._at = self._end_of(_STRING)
        if self._held[self._at : self._at + 1] != b'"':
            return False  # all scanned, or a backslash waits for its character
        self._at += 1
        self._in_string = False
        return True

    def _end_of(self, pattern: re.Pattern[bytes]) -> int:
        match = pattern.match(self._held, self._at)
        return match.end() if match else self._at

    def _take(self, end: int) -> bytes:
        self._check(end - self._start)
        value = bytes(self._held[self._start : end]).strip()
        self._start = self._at
        return value

    def _check(self, size: int) -> None:
        if size > self.max_frame_bytes:
            raise too_large("a value", self.max_frame_bytes)

    def _finish(self) -> Iterator[Frame]:
        if self._depth and (rest := bytes(self._held[self._start :]).strip()):
            yield Frame(rest, cut=True)
