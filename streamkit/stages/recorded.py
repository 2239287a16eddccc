"""A source that reads a recording: the live path, without the network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

import attrs

from ..dialects import Dialect, HttpCall
from ..framing import Ended, read_frames
from ..pipeline import Emit, Taps

__all__ = ["Recorded"]


@attrs.define(eq=False)
class Recorded:
    """
    Read a recorded body through the guard, the sniffing and the stages of a live answer.

    Args:
        body: the body as a client reads it, transfer and content coding undone.
        chunk: bytes of each read; None reads it in one.
        content_type: what the provider said it is; only ties are broken by it.
    """

    body: bytes = attrs.field(repr=False)
    chunk: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    content_type: str = ""
    buffered: ClassVar[bool] = False

    def call(self, _dialect: Dialect, _request: dict[str, Any], /) -> HttpCall:
        """Say nothing: nothing is sent."""
        return HttpCall("", {})

    async def fetch(self, _call: HttpCall, _dialect: Dialect, emit: Emit, taps: Taps, /) -> Ended:
        """Emit the frames of each piece."""
        return await read_frames(
            _Pieces(self.body, self.chunk or max(1, len(self.body))),
            emit,
            content_type=self.content_type,
            max_frame_bytes=taps.max_frame_bytes,
            max_response_bytes=taps.max_response_bytes,
            on_bytes=taps.on_bytes,
        )


@attrs.define(eq=False)
class _Pieces:
    _body: bytes
    _size: int
    _at: int = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = self._body[self._at : self._at + self._size]
        if not piece:
            raise StopAsyncIteration
        self._at += len(piece)
        return piece
